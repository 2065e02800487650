-- A search for documents did not help the answer: `text` is what was searched for, `about` the search's event. It says
-- that the retrieval needs work, not that the answer is bad.
-- `detail`: `empty`, nothing was found; `stale`, a tag `stale` of the search says that what was found is out of date
-- (the product must say so: age is not in the log); `ignored`, the documents' ids stood in the prompt, the answer names
-- none of them, and the user called it wrong. Documents are logged by id alone, so an answer that used one without
-- naming it cannot be told apart: hence the two other conditions, and the low confidence.
WITH searched AS (
    SELECT exchanges.workload, exchanges.answer, exchanges.prompt, response, event_ids[1] AS asked, events.key,
        events.tags, events.detail::JSON AS found, (events.detail::JSON -> 'documents')::VARCHAR[] AS documents
    FROM events
        JOIN exchanges ON events.kind = 'retrieval' AND exchanges.workload = events.workload
            AND exchanges.answer = events.answer
),
blamed AS (
    SELECT workload, answer, min(key) AS blame FROM (
        SELECT workload, answer, next_key AS key FROM followups WHERE reading IN ('correction', 'complaint')
        UNION ALL
        SELECT workload, answer, key FROM events
        WHERE kind = 'rated' AND value < 0 AND component IS DISTINCT FROM 'evaluator'
    ) GROUP BY ALL
),
judged AS (
    SELECT searched.*, blame,
        CASE
            WHEN coalesce((found ->> 'empty')::BOOLEAN, false) OR coalesce(len(documents), 0) = 0 THEN 'empty'
            WHEN lower(tags::JSON ->> 'stale') IN ('true', 'yes', '1') THEN 'stale'
            WHEN len(list_filter(documents, lambda id: contains(prompt, id))) > 0
                AND len(list_filter(documents, lambda id: contains(response, id))) = 0 THEN 'ignored'
        END AS detail
    FROM searched LEFT JOIN blamed USING (workload, answer)
)
SELECT workload, answer, key AS about, 1.0 AS value, detail, found ->> 'query' AS text,
    CASE detail WHEN 'empty' THEN 0.9 WHEN 'stale' THEN 0.8 ELSE 0.3 END AS confidence,
    CASE detail WHEN 'ignored' THEN [asked, key, blame] ELSE [asked, key] END AS event_ids
FROM judged
WHERE detail IN ('empty', 'stale') OR (detail = 'ignored' AND blame IS NOT NULL)
