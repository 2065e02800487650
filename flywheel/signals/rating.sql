-- The user gave an opinion: `value` from -1 to 1, the last one they gave, `text` their comment. Few rate, and the same few often.
SELECT exchanges.workload, exchanges.answer, arg_max(events.value, (events.time, key)) AS value,
    arg_max(events.text, (events.time, key)) AS text, NULL AS other, 0.7 AS confidence, any_value(event_ids) AS event_ids
FROM exchanges JOIN events
    ON events.kind = 'rated' AND events.workload = exchanges.workload AND events.answer = exchanges.answer
GROUP BY exchanges.workload, exchanges.answer
