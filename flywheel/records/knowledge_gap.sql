-- What a correction or an edit brought that the model could not have known: see `gaps.sql`. The less sure are for a person
-- to decide. It does not say that the fact is true, only that somebody needed it.
SELECT exchanges.*, said, missing, gaps.confidence < sure AS doubtful, 1.0 AS weight, gaps.confidence,
    list_prepend(exchanges.event_ids[1], gaps.event_ids) AS evidence
FROM gaps JOIN exchanges USING (workload, answer), rules
