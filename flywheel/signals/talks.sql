-- Each answer with the conversation it belongs to. A conversation nobody named is one user's exchanges with no idle gap,
-- called after its first answer: it keeps its name whatever was logged of other times. Of an answer that was logged twice
-- the later one speaks.
WITH responses AS (
    SELECT key, workload, id, time, conversation, parent, user, tags, may_train,
        coalesce(user, 'conversation ' || conversation, 'answer ' || id) AS person,
        conversation IS NOT NULL AS named
    FROM events WHERE kind = 'response'
    QUALIFY row_number() OVER (PARTITION BY workload, id ORDER BY time DESC, key DESC) = 1
),
gaps AS (
    SELECT *, time - lag(time) OVER (PARTITION BY workload, person, named ORDER BY time, id) AS gap FROM responses
),
sessions AS (
    SELECT *, count(*) FILTER (WHERE gap IS NULL OR gap > to_seconds(3600 * idle_hours))
        OVER (PARTITION BY workload, person, named ORDER BY time, id) AS session
    FROM gaps, rules
)
SELECT key, workload, id, time, conversation, parent, tags, may_train, person, named,
    coalesce(conversation, person || ' since ' || first_value(id) OVER (
        PARTITION BY workload, person, named, session ORDER BY time, id)) AS talk
FROM sessions
