-- The user asked for another answer to the same message: `value` is how many more they asked for, `other` the last one.
-- An edited prompt is no regeneration but a new request: it has another parent. Nor is an answer after an idle gap: whoever
-- comes back to a message days later begins anew, and is not sending the old answer back.
SELECT workload, answer, later AS value, NULL AS text, last_answer AS other, 0.7 AS confidence, event_ids
FROM (
    SELECT *,
        count(*) OVER sittings - row_number() OVER (sittings ORDER BY attempt) AS later,
        last_value(answer) OVER (sittings ORDER BY attempt ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_answer
    FROM (
        SELECT *, count(*) FILTER (WHERE gap > to_seconds(3600 * idle_hours)) OVER (siblings ORDER BY attempt) AS sitting
        FROM (SELECT *, time - lag(time) OVER (siblings ORDER BY attempt) AS gap
            FROM exchanges WINDOW siblings AS (PARTITION BY workload, conversation, parent)), rules
        WINDOW siblings AS (PARTITION BY workload, conversation, parent)
    )
    WINDOW sittings AS (PARTITION BY workload, conversation, parent, sitting)
)
WHERE later > 0
