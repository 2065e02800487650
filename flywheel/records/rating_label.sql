-- An opinion is a verdict on one answer alone: desirable or not, weighed by how strong it was. A zero is no verdict.
SELECT exchanges.*, signals.value > 0 AS desirable, abs(signals.value) AS weight, signals.confidence
FROM exchanges JOIN signals USING (workload, answer)
WHERE signals.kind = 'rating' AND signals.value <> 0
