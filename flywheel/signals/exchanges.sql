-- One row per answer, with what was done about it. Feedback finds its answer by id, whichever source logged it.
-- Rows are narrow: texts join them at the end (`exchanges.py`), by `key` and by the key of the last edit.
WITH acts AS (
    SELECT key, workload, answer, conversation, kind, time, may_train, visible, dwell_ms, value,
        kind = 'edited' AND text IS NOT NULL AS is_edit,
        kind = 'outcome' AND list_contains(success, name) AND value IS NOT NULL AS told_success
    FROM events, rules WHERE kind <> 'response'
),
feedback AS (
    SELECT workload, answer,
        bool_or(kind = 'accepted') AS accepted,
        bool_and(may_train) AS may_train,
        max(dwell_ms) FILTER (WHERE kind = 'shown' AND visible IS DISTINCT FROM false) AS shown_ms,
        min(time) AS first_time,
        max(time) AS last_time,
        list_sort(list(key)) AS keys
    FROM acts WHERE answer IS NOT NULL
    GROUP BY ALL
),
last_acts AS (
    SELECT workload, answer,
        arg_max(key, (time, key)) FILTER (WHERE is_edit) AS edit_key,
        arg_max(value, (time, key)) FILTER (WHERE told_success) AS outcome
    FROM acts WHERE answer IS NOT NULL AND (is_edit OR told_success)
    GROUP BY ALL
),
outcomes AS (
    SELECT workload, conversation,
        arg_max(value, (time, key)) FILTER (WHERE told_success) AS outcome,
        arg_max(key, (time, key)) FILTER (WHERE told_success) AS outcome_key,
        bool_and(may_train) AS may_train,
        min(time) AS first_time,
        max(time) AS last_time
    FROM acts WHERE answer IS NULL
    GROUP BY ALL
),
told AS (
    SELECT placed.*, edit_key,
        CASE WHEN last_acts.outcome IS NULL AND outcome_key IS NOT NULL THEN [outcome_key] ELSE [] END AS outcome_keys,
        coalesce(last_acts.outcome, outcomes.outcome) AS outcome,
        least(placed.time, feedback.first_time, outcomes.first_time) AS first_time,
        greatest(placed.time, feedback.last_time, outcomes.last_time) AS last_time,
        placed.may_train AND coalesce(feedback.may_train, true) AND coalesce(outcomes.may_train, true) AS trainable
    FROM placed
    LEFT JOIN feedback ON feedback.workload = placed.workload AND feedback.answer = placed.id
    LEFT JOIN last_acts ON last_acts.workload = placed.workload AND last_acts.answer = placed.id
    LEFT JOIN outcomes ON outcomes.workload = placed.workload AND outcomes.conversation = placed.conversation
),
talks AS (
    SELECT workload, talk, min(first_time) AS since, max(last_time) AS until, bool_and(trainable) AS trainable,
        -- Tries of one task rarely begin with the same words: the tag `run_of` names it, where the product knows it.
        arg_min(
            CASE WHEN contains(tags, '"run_of"') THEN coalesce(tags::JSON ->> 'run_of', parent) ELSE parent END,
            (time, id)
        ) AS task
    FROM told GROUP BY ALL
),
requests AS (
    SELECT workload, talk, parent, answers, row_number() OVER (PARTITION BY workload, talk ORDER BY asked, parent) AS turn
    FROM (
        SELECT workload, talk, parent, min(time) AS asked, count(*) AS answers
        FROM placed GROUP BY workload, talk, parent
    )
),
-- Windows over whole conversations are dear: only answers with siblings are numbered by one.
siblings AS (
    SELECT key, row_number() OVER (PARTITION BY workload, talk, parent ORDER BY time, id) AS attempt
    FROM placed JOIN requests USING (workload, talk, parent) WHERE answers > 1
),
counted AS (
    SELECT told.* EXCLUDE (trainable), talks.trainable, since, until, task, turn, coalesce(attempt, 1) AS attempt
    FROM told
    JOIN talks USING (workload, talk)
    JOIN requests USING (workload, talk, parent)
    LEFT JOIN siblings USING (key)
)
SELECT
    counted.key,
    edit_key,
    accepted,
    counted.workload,
    counted.id AS answer,
    counted.time::DATE AS day,
    counted.time,
    talk AS conversation,
    named,
    task,
    turn,
    counted.parent,
    attempt,
    person AS user,
    sliced.slice,
    shown_ms,
    outcome,
    since,
    until,
    until < closed_before AS closed,
    trainable AS may_train,
    list_concat(list_prepend(counted.key, coalesce(keys, [])), outcome_keys) AS event_ids
FROM counted
    LEFT JOIN feedback ON feedback.workload = counted.workload AND feedback.answer = counted.id
    JOIN sliced ON sliced.tags = counted.tags
    JOIN watermarks ON watermarks.workload = counted.workload
