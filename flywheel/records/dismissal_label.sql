-- A suggestion that was seen and passed over. People also pass over what is good: the signal's small weight stands.
SELECT exchanges.*, false AS desirable, signals.weight, signals.confidence,
    list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence
FROM exchanges JOIN signals USING (workload, answer)
WHERE signals.kind = 'dismissal' AND signals.weight > 0
