-- Each answer with the conversation it belongs to. A conversation nobody named is one user's exchanges with no idle gap,
-- called after its first answer: it keeps its name whatever was logged of other times. Of an answer that was logged twice
-- the later one speaks.
-- Windows over whole logs are dear: only what was logged twice is put in order, and only sessions are cut.
WITH logged_responses AS (
    SELECT key, workload, id, time, conversation, parent, tags, may_train,
        coalesce(user, 'conversation ' || conversation, 'answer ' || id) AS person,
        conversation IS NOT NULL AS named
    FROM events WHERE kind = 'response'
),
twice AS (SELECT workload, id FROM logged_responses GROUP BY ALL HAVING count(*) > 1),
responses AS (
    SELECT * FROM logged_responses ANTI JOIN twice USING (workload, id)
    UNION ALL
    SELECT * FROM logged_responses SEMI JOIN twice USING (workload, id)
    QUALIFY row_number() OVER (PARTITION BY workload, id ORDER BY time DESC, key DESC) = 1
),
gaps AS (
    SELECT *, time - lag(time) OVER (PARTITION BY workload, person ORDER BY time, id) AS gap
    FROM responses WHERE NOT named
),
sessions AS (
    SELECT *, count(*) FILTER (WHERE gap IS NULL OR gap > to_seconds(3600 * idle_hours))
        OVER (PARTITION BY workload, person ORDER BY time, id) AS session
    FROM gaps, rules
)
SELECT *, conversation AS talk FROM responses WHERE named
UNION ALL
SELECT key, workload, id, time, conversation, parent, tags, may_train, person, named,
    person || ' since ' || first_value(id) OVER (PARTITION BY workload, person, session ORDER BY time, id) AS talk
FROM sessions
