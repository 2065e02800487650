-- What a person wrote with no draft before them and sent is what the answer should have been: work from before there was a
-- model. There is no other side. Not where somebody complained about it later.
SELECT exchanges.*, response AS completion, response AS other, 1.0 AS weight, signals.confidence, signals.event_ids AS evidence
FROM exchanges JOIN signals USING (workload, answer) SEMI JOIN kept USING (workload, answer)
WHERE signals.kind = 'acceptance' AND signals.detail = 'written' AND signals.weight > 0
