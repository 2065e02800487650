-- The user asked for another answer to the same message: `value` is how many more they asked for, `other` the last one.
-- It says that they wanted another, not that this one was bad: some look at several to choose. An edited prompt is no
-- regeneration but a new request: it has another parent. Nor is an answer after an idle gap: whoever comes back to a
-- message days later begins anew. Nor is the answer of another component of the product to the same message.
SELECT workload, answer, later AS value, last_answer AS other, 0.7 AS confidence, event_ids
FROM (
    SELECT workload, answer,
        count(*) OVER sittings - row_number() OVER (sittings ORDER BY attempt) AS later,
        arg_max(answer, attempt) OVER sittings AS last_answer,
        list(key) OVER (sittings ORDER BY attempt ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS event_ids
    FROM (
        SELECT *, count(*) FILTER (WHERE gap > to_seconds(3600 * idle_hours)) OVER (siblings ORDER BY attempt) AS sitting
        FROM (
            SELECT exchanges.workload, exchanges.answer, exchanges.conversation, exchanges.parent, exchanges.time, attempt,
                component, key, exchanges.time - lag(exchanges.time) OVER (
                    PARTITION BY exchanges.workload, exchanges.conversation, exchanges.parent, component ORDER BY attempt
                ) AS gap
            FROM exchanges JOIN events ON events.key = exchanges.event_ids[1]
            -- Most messages have one answer.
            SEMI JOIN (SELECT workload, conversation, parent FROM exchanges WHERE attempt > 1) AS several
                ON several.workload = exchanges.workload AND several.conversation = exchanges.conversation
                AND several.parent = exchanges.parent
        ), rules
        WINDOW siblings AS (PARTITION BY workload, conversation, parent, component)
    )
    WINDOW sittings AS (PARTITION BY workload, conversation, parent, component, sitting)
)
WHERE later > 0
