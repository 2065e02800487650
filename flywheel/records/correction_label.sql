-- Who corrects an answer was not served by it. What they say is often about themselves and what they forgot to ask: half
-- a verdict at most.
SELECT exchanges.*, false AS desirable, 0.5 * signals.weight AS weight, signals.confidence,
    list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence
FROM exchanges JOIN signals USING (workload, answer)
WHERE signals.kind = 'correction' AND signals.weight > 0
