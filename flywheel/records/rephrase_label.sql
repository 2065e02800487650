-- Who asks the same in other words was perhaps not served: a quarter of a verdict. Where they also corrected it, that says
-- it already.
SELECT exchanges.*, false AS desirable, 0.25 * signals.weight AS weight, signals.confidence,
    list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence
FROM exchanges JOIN signals USING (workload, answer)
WHERE signals.kind = 'rephrase' AND signals.weight > 0 AND NOT EXISTS (
    SELECT 1 FROM signals AS corrections
    WHERE corrections.kind = 'correction' AND corrections.workload = exchanges.workload
        AND corrections.answer = exchanges.answer
)
