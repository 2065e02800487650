-- What the user kept is what the answer should have been; the other side is what it was. Not where they wrote another text
-- (its edit has no weight), brought facts, or complained about it later.
SELECT exchanges.*, signals.text AS completion, response AS other, 1.0 AS weight, signals.confidence,
    list_concat(signals.event_ids, kept.evidence) AS evidence
FROM exchanges JOIN signals USING (workload, answer) JOIN kept USING (workload, answer)
    ANTI JOIN gaps USING (workload, answer, kind)
WHERE signals.kind = 'edit' AND signals.weight > 0 AND kept.text IS NOT NULL
