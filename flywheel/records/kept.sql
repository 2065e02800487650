-- What people held on to: the answer, as it was or as they edited it, used and not complained about later. Who wrote another
-- text in its place did not hold on to it. An edit that brought facts is not what the model could have said, so there the
-- answer itself stands for it. Where somebody acted on an answer and did not hold on to it, `text` is null and `evidence`
-- says why.
CREATE TEMP TABLE kept AS
WITH acts AS (
    SELECT workload, answer,
        min(value) FILTER (WHERE kind = 'acceptance') AS acceptance,
        coalesce(bool_or(kind = 'edit' AND weight = 0 AND value > edit_rewrite), false) AS rewritten,
        min(confidence) AS confidence,
        flatten(list(event_ids ORDER BY kind, about)) AS event_ids
    FROM signals, rules WHERE kind IN ('acceptance', 'edit')
    GROUP BY ALL
)
SELECT workload, answer,
    CASE WHEN final IS NULL OR acceptance < 0 OR rewritten THEN NULL
        WHEN (workload, answer) IN (SELECT (workload, answer) FROM gaps WHERE kind = 'edit')
        THEN response ELSE final END AS text,
    list_prepend(exchanges.event_ids[1], coalesce(acts.event_ids, exchanges.event_ids)) AS evidence,
    coalesce(confidence, 0.5) AS confidence
FROM exchanges LEFT JOIN acts USING (workload, answer)
WHERE final IS NOT NULL OR acts.event_ids IS NOT NULL
