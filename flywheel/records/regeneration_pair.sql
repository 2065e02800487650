-- The answer the user kept after asking again is preferred to each one they left; there is no order among those. One chain
-- weighs one, however often they asked. A chain that ends without a kept answer says nothing about its last.
SELECT left_behind.*, kept.answer AS kept_answer, kept.final AS chosen, left_behind.response AS rejected,
    1.0 / signals_of_chain AS weight, confidence, list_concat(kept.event_ids, left_behind.event_ids) AS evidence
FROM (
    SELECT exchanges.*, signals.other, signals.confidence,
        count(*) OVER (PARTITION BY workload, signals.other) AS signals_of_chain
    FROM exchanges JOIN signals USING (workload, answer)
    WHERE signals.kind = 'regeneration'
) AS left_behind JOIN exchanges AS kept
    ON kept.workload = left_behind.workload AND kept.answer = left_behind.other
WHERE kept.final IS NOT NULL AND kept.final <> left_behind.response
