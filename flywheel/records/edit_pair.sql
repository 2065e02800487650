-- What the user kept is preferred to what they were given. An edit too small to mean anything has no weight and makes no
-- pair: near-identical sides displace likelihood. One that brought facts is a knowledge gap.
SELECT exchanges.*, signals.text AS chosen, response AS rejected, signals.weight, signals.confidence,
    list_prepend(exchanges.event_ids[1], signals.event_ids) AS evidence
FROM exchanges JOIN signals USING (workload, answer) ANTI JOIN gaps USING (workload, answer, kind)
WHERE signals.kind = 'edit' AND signals.weight > 0 AND signals.text <> response
