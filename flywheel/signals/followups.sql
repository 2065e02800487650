-- Each answer with the next request of its conversation: what the user said when they had seen it. What it means is
-- read later (`followups.py`). A regeneration is no follow-up (it has the same parent), nor is a tool's result (its
-- role is not the user's), nor the same text handed on from one component of the product to the next.
WITH talks AS (
    SELECT exchanges.workload, exchanges.answer, exchanges.time, exchanges.parent, component, event_ids[1] AS key,
        lead(exchanges.answer) OVER talk AS next_answer,
        lead(exchanges.parent) OVER talk AS next_parent,
        lead(exchanges.time) OVER talk AS next_time,
        lead(attempt) OVER talk AS next_attempt,
        lead(component) OVER talk AS next_component,
        lead(event_ids[1]) OVER talk AS next_key
    FROM exchanges JOIN events ON events.key = event_ids[1]
    WINDOW talk AS (PARTITION BY exchanges.workload, exchanges.conversation ORDER BY exchanges.time, exchanges.answer)
)
SELECT talks.workload, talks.answer, next_answer, key, next_key, next_time,
    epoch(next_time - talks.time) AS gap,
    earlier.request,
    earlier.response,
    later.request AS said
FROM talks
    JOIN exchanges AS earlier ON earlier.workload = talks.workload AND earlier.answer = talks.answer
    JOIN exchanges AS later ON later.workload = talks.workload AND later.answer = next_answer
WHERE next_parent <> talks.parent AND next_attempt = 1
    AND later.prompt::JSON ->> '$[#-1].role' = 'user'
    AND NOT (component IS DISTINCT FROM next_component AND earlier.request = later.request)
