-- What the user kept is what the answer should have been; the other side is what it was. Not where they wrote another text
-- (its edit has no weight), brought facts, or complained about it later.
SELECT exchanges.*, signals.text AS completion, response AS other, 1.0 AS weight, signals.confidence,
    list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence
FROM exchanges JOIN signals USING (workload, answer) SEMI JOIN kept USING (workload, answer)
    ANTI JOIN gaps USING (workload, answer, kind)
WHERE signals.kind = 'edit' AND signals.weight > 0
