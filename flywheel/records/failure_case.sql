-- An answer that failed someone, a row for each way in which it did: a person looks at one way at a time, and a failure
-- that stood behind a stronger one would be missed in the counts. It does not say which step went wrong. Where a run ends is
-- rarely where it broke (the decisive error stood at a third of the run in the median, in the last two steps in one of
-- seven), so suspicion is spread: it falls from the first answer to the last by a factor of e to the 1.5, and is three times
-- as much on an answer with trouble of its own. Where the failure speaks of the answer itself (a refusal, a bad rating), and
-- not of a run or a talk that ended there, it is suspected as if it stood first. The five most suspect are named.
WITH troubles AS (
    SELECT workload, answer, CASE WHEN kind = 'acceptance' THEN 'complaint' ELSE kind END AS failure,
        arg_max(detail, (confidence * weight, about)) AS detail,
        arg_max(text, (confidence * weight, about)) AS said,
        max(confidence) AS confidence,
        max(weight) AS weight,
        flatten(list(event_ids)) AS event_ids
    FROM signals
    WHERE kind IN ('abandonment', 'tool_failure', 'retrieval_miss', 'refusal', 'correction')
        OR (kind IN ('rating', 'acceptance') AND value < 0)
    GROUP BY workload, answer, failure
),
failures AS (
    SELECT * FROM troubles
    UNION ALL
    SELECT workload, answer, 'failed_run', NULL, NULL, 0.9, 1.0, evidence FROM runs WHERE NOT success
),
troubled AS (
    SELECT DISTINCT workload, answer FROM signals
    WHERE kind IN ('tool_failure', 'retrieval_miss', 'refusal', 'correction', 'rephrase', 'regeneration', 'dismissal')
        OR (kind IN ('rating', 'acceptance') AND value < 0)
),
talks AS (
    SELECT workload, conversation, answer, turn, troubled.answer IS NOT NULL AS trouble,
        row_number() OVER talk AS place,
        -- Suspicion falls with place: beyond the first five with trouble, or without, nobody is named.
        row_number() OVER (PARTITION BY workload, conversation, trouble ORDER BY time, answer) AS nth,
        max(turn) OVER (PARTITION BY workload, conversation) AS turns
    FROM exchanges LEFT JOIN troubled USING (workload, answer)
    WINDOW talk AS (PARTITION BY workload, conversation ORDER BY time, answer)
),
placed AS (
    SELECT workload, conversation, answer, failure, place AS here, turn, trouble
    FROM failures JOIN talks USING (workload, answer)
),
steps AS (
    SELECT placed.workload, placed.answer, failure, here, talks.answer AS suspect, talks.turn, place, talks.trouble
    FROM placed JOIN talks USING (workload, conversation) WHERE nth <= 5 AND place <= here
    UNION
    SELECT workload, answer, failure, here, answer, turn, here, trouble FROM placed
),
suspected AS (
    SELECT *,
        CASE WHEN suspect = answer AND failure NOT IN ('abandonment', 'failed_run') THEN 3.0
            ELSE exp(-1.5 * (place - 0.5) / here) * CASE WHEN trouble THEN 3 ELSE 1 END END AS suspicion
    FROM steps
    QUALIFY row_number() OVER (PARTITION BY workload, answer, failure ORDER BY suspicion DESC, place) <= 5
),
spread AS (
    SELECT workload, answer, failure, list(suspicion ORDER BY suspicion DESC, place) AS all_of_it,
        list({'answer': suspect, 'turn': turn, 'suspicion': suspicion} ORDER BY suspicion DESC, place) AS steps
    FROM suspected GROUP BY ALL
)
SELECT exchanges.*, failure, detail, said, turns, failures.weight, failures.confidence,
    list_prepend(exchanges.event_ids[1], failures.event_ids) AS evidence,
    to_json(list_transform(steps, lambda step: {
        'answer': step.answer, 'turn': step.turn, 'share': round(step.suspicion / list_sum(all_of_it), 6)
    }))::VARCHAR AS suspects
FROM failures JOIN exchanges USING (workload, answer) JOIN talks USING (workload, conversation, answer, turn)
    JOIN spread USING (workload, answer, failure)
