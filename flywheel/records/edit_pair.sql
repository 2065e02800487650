-- What the user kept is preferred to what they were given, when they changed enough to mean it and not so much that it is
-- another text. Smaller edits teach nothing DPO could hold on to: near-identical sides displace likelihood.
SELECT exchanges.*, final AS chosen, response AS rejected, 1.0 AS weight, signals.confidence
FROM exchanges JOIN signals USING (workload, answer), rules
WHERE signals.kind = 'edit' AND signals.value >= edit_pair AND signals.value <= edit_rewrite
