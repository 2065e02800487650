-- An opinion is a verdict on one answer alone: desirable or not, weighed by how strong it was. Each person's own stands,
-- also where two disagree: that is settled where datasets are cut. A zero is no verdict.
SELECT exchanges.*, signals.value > 0 AS desirable, least(abs(signals.value), 1) * signals.weight AS weight,
    signals.confidence,
    list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence
FROM exchanges JOIN signals USING (workload, answer)
WHERE signals.kind = 'rating' AND signals.value <> 0 AND signals.weight > 0
