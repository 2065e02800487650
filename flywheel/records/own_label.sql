-- A team's own signal that says it is a label: desirable where its value is above 0. A zero is no verdict.
SELECT exchanges.*, signals.value > 0 AS desirable, signals.weight, signals.confidence,
    list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence
FROM exchanges JOIN signals USING (workload, answer), rules
WHERE list_contains(own_labels, signals.kind) AND signals.value <> 0 AND signals.weight > 0
