-- Answers asked for one after another to the same message: what the user kept comes first, all they left behind second,
-- with no order among those. A chain of which nothing was kept orders nothing. Leaving an answer does not make it bad: some
-- people look at three and take the second.
WITH left_behind AS (
    SELECT exchanges.workload, signals.other AS last_answer, exchanges.answer, exchanges.time, response AS text, 2 AS rank,
        list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence, signals.confidence, signals.weight
    FROM exchanges JOIN signals USING (workload, answer)
    WHERE signals.kind = 'regeneration'
),
members AS (
    SELECT * FROM left_behind
    UNION ALL
    SELECT DISTINCT ON (chains.workload, chains.other) exchanges.workload, chains.other, exchanges.answer, exchanges.time,
        response, 2, exchanges.event_ids[:1], chains.confidence, chains.weight
    FROM signals AS chains JOIN exchanges ON exchanges.workload = chains.workload AND exchanges.answer = chains.other
    WHERE chains.kind = 'regeneration'
),
chains AS (
    SELECT members.* REPLACE (
        CASE WHEN kept.text IS NULL THEN members.text ELSE kept.text END AS text,
        CASE WHEN kept.text IS NULL THEN 2 ELSE 1 END AS rank,
        list_concat(members.evidence, coalesce(kept.evidence, [])) AS evidence)
    FROM members LEFT JOIN kept USING (workload, answer)
),
told AS (
    SELECT *,
        -- The same text again is not worse than itself.
        rank = 1 OR NOT list_contains(
            list(text) FILTER (WHERE rank = 1) OVER (PARTITION BY workload, last_answer), text
        ) AS ordered
    FROM chains
),
ranked AS (
    SELECT workload, last_answer,
        list(text ORDER BY rank, time, answer) FILTER (WHERE ordered) AS responses,
        list(rank ORDER BY rank, time, answer) FILTER (WHERE ordered) AS ranks,
        list(evidence ORDER BY rank, time, answer) FILTER (WHERE ordered) AS sources,
        list([answer] ORDER BY rank, time, answer) FILTER (WHERE ordered) AS origins,
        flatten(list(evidence)) AS evidence,
        min(confidence) AS confidence,
        min(weight) AS weight,
        arg_min(answer, (rank, time, answer)) AS answer
    FROM told GROUP BY workload, last_answer
)
SELECT exchanges.*, responses, ranks, sources, origins, origins AS places, evidence, ranked.weight, ranked.confidence
FROM ranked JOIN exchanges USING (workload, answer)
WHERE list_min(ranks) < list_max(ranks) AND ranked.weight > 0
