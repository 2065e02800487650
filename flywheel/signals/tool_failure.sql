-- A tool call of the answer failed, or repeated one that had been made already. A weak negative: most runs with a
-- failed call fail, but a third of them recover. `about` is the call's event, `text` the error, `other` the answer that
-- called a tool next.
-- `detail`: `environment` where the error matches `environment_errors` (nobody learns from it: weight 0), else `model`
-- (wrong arguments, a rule broken); `retry` for a call that did not fail but had been made in this conversation with
-- the same arguments; trying again what the environment failed is sound and no signal.
WITH calls AS (
    SELECT exchanges.workload, exchanges.answer, event_ids[1] AS response, events.key, error,
        lag(events.key) OVER same AS earlier,
        regexp_matches(error, environment_errors) AS outside,
        lag(regexp_matches(error, environment_errors)) OVER same AS earlier_outside,
        lead(exchanges.answer) OVER talk AS next_answer,
        lead(events.key) OVER talk AS next_key
    FROM events JOIN exchanges
        ON events.kind = 'tool_call' AND exchanges.workload = events.workload AND exchanges.answer = events.answer, rules
    WINDOW talk AS (PARTITION BY exchanges.workload, exchanges.conversation ORDER BY events.time, events.key),
        same AS (PARTITION BY exchanges.workload, exchanges.conversation, events.name, events.detail
            ORDER BY events.time, events.key)
)
SELECT workload, answer, key AS about, 1.0 AS value, error AS text, next_answer AS other,
    CASE WHEN error IS NULL THEN 'retry' WHEN outside THEN 'environment' ELSE 'model' END AS detail,
    CASE WHEN error IS NULL THEN 0.4 ELSE 0.6 END AS confidence,
    CASE WHEN error IS NULL THEN 0.1 WHEN outside THEN 0.0 ELSE 0.3 END AS weight,
    list_distinct([response, key, next_key, CASE WHEN error IS NULL THEN earlier END]) AS event_ids
FROM calls
WHERE error IS NOT NULL OR (earlier IS NOT NULL AND NOT coalesce(earlier_outside, false))
