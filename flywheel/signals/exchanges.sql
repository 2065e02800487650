-- One row per answer, with what the user kept of it. Feedback finds its answer by id, whichever source logged it.
-- A conversation nobody named is one user's exchanges with no idle gap. Of an id with two contents the later one speaks.
WITH latest AS (
    SELECT * FROM events
    QUALIFY row_number() OVER (PARTITION BY workload, kind, id ORDER BY time DESC, key DESC) = 1
),
responses AS (
    SELECT *, coalesce(user, 'conversation ' || conversation, 'answer ' || id) AS person,
        conversation IS NULL AS unnamed,
        time - lag(time) OVER (PARTITION BY workload, person, unnamed ORDER BY time, id) AS gap
    FROM latest WHERE kind = 'response'
),
sessions AS (
    SELECT *, count(*) FILTER (WHERE gap IS NULL OR gap > to_seconds(3600 * idle_hours))
        OVER (PARTITION BY workload, person, unnamed ORDER BY time, id) AS session
    FROM responses, rules
),
placed AS (
    SELECT *, coalesce(conversation, person || ' session ' || session) AS talk FROM sessions
),
feedback AS (
    SELECT workload, answer,
        arg_max(text, (time, key)) FILTER (WHERE kind = 'edited') AS edited,
        bool_or(kind = 'accepted') AS accepted,
        bool_and(may_train) AS may_train,
        max(time) AS last_time,
        list(key ORDER BY time, key) AS keys
    FROM latest WHERE answer IS NOT NULL AND kind <> 'response'
    GROUP BY ALL
),
told AS (
    SELECT placed.*, edited, accepted, feedback.keys,
        max(greatest(placed.time, coalesce(last_time, placed.time))) OVER conversations AS last_act,
        bool_and(placed.may_train AND coalesce(feedback.may_train, true)) OVER conversations AS trainable
    FROM placed LEFT JOIN feedback ON feedback.workload = placed.workload AND feedback.answer = placed.id
    WINDOW conversations AS (PARTITION BY placed.workload, talk)
)
SELECT
    told.workload,
    told.id AS answer,
    told.time::DATE AS day,
    told.time,
    told.talk AS conversation,
    told.parent,
    row_number() OVER (PARTITION BY told.workload, talk, told.parent ORDER BY told.time, told.id) AS attempt,
    person AS user,
    sliced.slice,
    told.prompt,
    coalesce(told.prompt::JSON ->> '$[#-1].content', '') AS request,
    coalesce(told.text, '') AS response,
    CASE WHEN edited IS NOT NULL AND (accepted OR last_act < closed_before) THEN edited
         WHEN edited IS NULL AND accepted THEN told.text END AS final,
    told.model,
    told.model_version,
    told.arm,
    last_act < closed_before AS closed,
    trainable AS may_train,
    list_prepend(told.key, coalesce(told.keys, [])) AS event_ids
FROM told JOIN sliced ON sliced.tags = told.tags JOIN watermarks ON watermarks.workload = told.workload
