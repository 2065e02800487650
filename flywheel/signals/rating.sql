-- A person gave an opinion: `value` from -1 to 1, the last one they gave, `text` their comment. Few rate, and the same
-- few often. One for each rater and each thing rated: `about` is who, and what was rated. A zero is kept and weighs
-- nothing. What a program scored (component `evaluator`) is no person's opinion and is left out, so that no rule takes
-- it for one: it stays in `events`.
-- `detail`: `up`, `down`, `neutral`.
SELECT exchanges.workload, exchanges.answer,
    concat_ws(' ', events.user, events.name) AS about,
    arg_max(events.value, (events.time, key)) AS value,
    ['down', 'neutral', 'up'][2 + sign(arg_max(events.value, (events.time, key)))::INT] AS detail,
    arg_max(events.text, (events.time, key)) AS text,
    0.7 AS confidence,
    CASE WHEN arg_max(events.value, (events.time, key)) = 0 THEN 0.0 ELSE 1.0 END AS weight,
    [any_value(event_ids[1]), max_by(key, (events.time, key))] AS event_ids
FROM exchanges JOIN events
    ON events.kind = 'rated' AND events.workload = exchanges.workload AND events.answer = exchanges.answer
WHERE component IS DISTINCT FROM 'evaluator' AND events.value IS NOT NULL
GROUP BY exchanges.workload, exchanges.answer, events.user, events.name
