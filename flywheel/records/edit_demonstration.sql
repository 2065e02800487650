-- What the user kept is what the answer should have been; the other side is what it was.
SELECT exchanges.*, final AS completion, response AS other, 1.0 AS weight, signals.confidence
FROM exchanges JOIN signals USING (workload, answer), rules
WHERE signals.kind = 'edit' AND signals.value <= edit_rewrite
