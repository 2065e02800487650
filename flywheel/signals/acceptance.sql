-- The user used the answer. It does not mean they were content: people copy, try, and complain. A later outcome of
-- complaint, or a next request that calls it wrong, revokes the acceptance: it stays, with `value` -1 where others have
-- 1. Its events name the next answer too, whatever was asked: without it a later request might be the one that
-- calls this answer wrong.
-- `detail`: `revoked`; `edited` where it was the edit that they used; else how they used it (`sent`, `copied`, ...), or
-- `used`.
WITH used AS (
    SELECT workload, answer,
        min(time) FILTER (WHERE kind = 'accepted') AS since,
        arg_max(detail::JSON ->> 'how', (time, key)) FILTER (WHERE kind = 'accepted') AS how,
        bool_or(kind = 'edited') AS edited,
        list(key ORDER BY time, key) AS keys
    FROM events WHERE kind IN ('accepted', 'edited') AND answer IS NOT NULL
    GROUP BY ALL HAVING bool_or(kind = 'accepted')
),
complained AS (
    SELECT events.workload, events.answer, list(key ORDER BY time, key) AS keys
    FROM events JOIN used ON used.workload = events.workload AND used.answer = events.answer AND time >= since, rules
    WHERE kind = 'outcome' AND value > 0 AND list_contains(complaint, name)
        AND component IS DISTINCT FROM 'evaluator'
    GROUP BY ALL
),
nexts AS (
    SELECT workload, answer,
        lead(event_ids[1]) OVER (PARTITION BY workload, conversation ORDER BY time, answer) AS next_key
    FROM exchanges
),
told AS (
    SELECT used.workload, used.answer, edited AND final IS DISTINCT FROM response AS edited, how,
        complained.keys IS NOT NULL OR reading IS NOT NULL AS revoked,
        -- An outcome is a fact; a follow-up is as sure as its reading.
        CASE WHEN complained.keys IS NOT NULL THEN 0.9 ELSE followups.confidence END AS sure,
        list_concat([event_ids[1]], used.keys, complained.keys,
            CASE WHEN nexts.next_key IS NOT NULL THEN [nexts.next_key] END) AS event_ids
    FROM used
        JOIN exchanges ON exchanges.workload = used.workload AND exchanges.answer = used.answer
        JOIN nexts ON nexts.workload = used.workload AND nexts.answer = used.answer
        LEFT JOIN complained ON complained.workload = used.workload AND complained.answer = used.answer
        LEFT JOIN followups ON followups.workload = used.workload AND followups.answer = used.answer
            AND reading IN ('correction', 'complaint') AND next_time >= used.since
)
SELECT workload, answer,
    CASE WHEN revoked THEN -1.0 ELSE 1.0 END AS value,
    CASE WHEN revoked THEN 'revoked' WHEN edited THEN 'edited' ELSE coalesce(how, 'used') END AS detail,
    CASE WHEN revoked THEN sure WHEN edited THEN 0.8 WHEN how = 'copied' THEN 0.6 ELSE 0.7 END AS confidence,
    event_ids
FROM told
