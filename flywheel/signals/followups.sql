-- Each answer with the next request of its conversation: what the user said when they had seen it. What it means is
-- read later (`followups.py`), and texts join there. A regeneration is no follow-up: it has the same parent. `handed` is
-- whether another component of the product asked next.
WITH asked AS (
    SELECT exchanges.workload, exchanges.conversation, exchanges.answer, exchanges.time, exchanges.parent, attempt,
        component, event_ids[1] AS key
    FROM exchanges JOIN events ON events.key = event_ids[1]
),
talks AS (
    SELECT workload, answer, key, time, parent, component,
        lead(answer) OVER talk AS next_answer,
        lead(parent) OVER talk AS next_parent,
        lead(time) OVER talk AS next_time,
        lead(attempt) OVER talk AS next_attempt,
        lead(component) OVER talk AS next_component,
        lead(key) OVER talk AS next_key
    FROM asked
    WINDOW talk AS (PARTITION BY workload, conversation ORDER BY time, answer)
)
SELECT workload, answer, next_answer, key, next_key, next_time,
    epoch(next_time - time) AS gap,
    component IS DISTINCT FROM next_component AS handed
FROM talks
WHERE next_parent <> parent AND next_attempt = 1
