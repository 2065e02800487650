-- Copied or sent, then complained about: the using of it was no praise. The complaint itself may be a label of its own,
-- so this is the other half of it.
SELECT exchanges.*, false AS desirable, 0.5 * signals.weight AS weight, signals.confidence,
    list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence
FROM exchanges JOIN signals USING (workload, answer)
WHERE signals.kind = 'acceptance' AND signals.value < 0 AND signals.weight > 0
