-- The user asked for another answer to the same message: `value` is how many more they asked for, `other` the last one.
-- An edited prompt is no regeneration but a new request: it has another parent.
SELECT workload, answer, later AS value, NULL AS text, last_answer AS other, 0.7 AS confidence, event_ids
FROM (
    SELECT *,
        count(*) OVER siblings - attempt AS later,
        last_value(answer) OVER (siblings ORDER BY attempt ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_answer
    FROM exchanges
    WINDOW siblings AS (PARTITION BY workload, conversation, parent)
)
WHERE later > 0
