-- The whole chain at once: the kept answer first, then those left behind in the order they were given, which is no order of worth.
SELECT kept.*, list_prepend(kept.final, chain.responses) AS responses, 1.0 AS weight, chain.confidence,
    list_concat(kept.event_ids, chain.evidence) AS evidence
FROM (
    SELECT workload, signals.other, list(response ORDER BY attempt) AS responses, min(signals.confidence) AS confidence,
        flatten(list(exchanges.event_ids ORDER BY attempt)) AS evidence
    FROM exchanges JOIN signals USING (workload, answer)
    WHERE signals.kind = 'regeneration'
    GROUP BY ALL
) AS chain JOIN exchanges AS kept ON kept.workload = chain.workload AND kept.answer = chain.other
WHERE kept.final IS NOT NULL
