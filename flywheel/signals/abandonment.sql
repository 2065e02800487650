-- The conversation is over, and the user left with nothing: its last answer was not kept, praised or followed by
-- success. Walking away carries little polarity by itself, some people read and go; after a struggle, or in a hurry, it
-- says more. A case to look at, no training label, and no word about which step was at fault. An open conversation is
-- censored, not abandoned. A natural end is no abandonment: thanks, an answer that stayed on screen long enough to be
-- read with no struggle before it, or much longer than that after one. Nor is an answer that was never on screen, or of
-- which nobody says that a person saw it.
-- `value` is the turn at which they left. `detail` is what preceded it, the first of these that holds: `bad rating` of
-- the last answer, `refusal`, `correction` or `rephrase` (the last request was one), `tool_failure` in the last turn,
-- `regeneration`, `hurry` (they left sooner than it can be read), `nothing`.
WITH answers AS (
    SELECT workload, conversation, user, answer, turn, attempt, parent, final, refused, outcome, shown_ms, time,
        event_ids[1] AS key,
        -- People read some 300 words a minute.
        200 * len(string_split(response, ' ')) AS reading_ms,
        row_number() OVER (PARTITION BY workload, conversation ORDER BY time DESC, answer DESC) AS from_end
    FROM exchanges WHERE closed
),
talks AS (
    SELECT workload, conversation, max(outcome) AS outcome, list(key ORDER BY time, key) AS keys
    FROM answers GROUP BY ALL
),
kept AS (SELECT DISTINCT workload, conversation, parent FROM answers WHERE final IS NOT NULL),
last AS (
    SELECT answers.*, talks.keys
    FROM answers JOIN talks USING (workload, conversation) ANTI JOIN kept USING (workload, conversation, parent)
    WHERE from_end = 1 AND coalesce(talks.outcome, 0) <= 0
),
opinions AS (
    SELECT last.workload, last.answer, max(value) AS best, min(value) AS worst,
        list(events.key ORDER BY events.time, events.key) FILTER (WHERE value < 0) AS keys
    FROM events JOIN last ON events.workload = last.workload AND events.answer = last.answer
    -- Others who judge the answer have not left it.
    WHERE kind = 'rated' AND component IS DISTINCT FROM 'evaluator' AND coalesce(events.user, last.user) = last.user
    GROUP BY ALL
),
seen AS (
    SELECT workload, answer, bool_or(visible IS DISTINCT FROM false) AS visible, list(key ORDER BY time, key) AS keys
    FROM events WHERE kind = 'shown' GROUP BY ALL
),
failures AS (
    SELECT last.workload, last.answer, list(events.key ORDER BY events.time, events.key) AS keys
    FROM last
        JOIN answers ON answers.workload = last.workload AND answers.conversation = last.conversation
            AND answers.parent = last.parent
        JOIN events ON events.workload = answers.workload AND events.answer = answers.answer
    WHERE events.kind = 'tool_call' AND error IS NOT NULL GROUP BY ALL
),
before AS (
    SELECT answers.workload, answers.conversation, answers.parent, reading
    FROM followups JOIN answers ON answers.workload = followups.workload AND answers.answer = next_answer
),
told AS (
    SELECT last.*, reading, visible,
        CASE
            WHEN worst < 0 THEN 'bad rating'
            WHEN last.refused THEN 'refusal'
            WHEN reading IN ('correction', 'complaint') THEN 'correction'
            WHEN reading = 'rephrase' THEN 'rephrase'
            WHEN failures.keys IS NOT NULL THEN 'tool_failure'
            WHEN last.attempt > 1 THEN 'regeneration'
            WHEN shown_ms IS NOT NULL THEN 'hurry'
            ELSE 'nothing'
        END AS detail,
        list_concat(last.keys, opinions.keys, seen.keys, failures.keys) AS event_ids
    FROM last
        LEFT JOIN before ON before.workload = last.workload AND before.conversation = last.conversation
            AND before.parent = last.parent
        LEFT JOIN opinions ON opinions.workload = last.workload AND opinions.answer = last.answer
        LEFT JOIN seen ON seen.workload = last.workload AND seen.answer = last.answer
        LEFT JOIN failures ON failures.workload = last.workload AND failures.answer = last.answer
    WHERE coalesce(best, 0) <= 0 AND reading IS DISTINCT FROM 'thanks'
)
SELECT workload, answer, turn AS value, detail,
    CASE detail WHEN 'bad rating' THEN 0.8 WHEN 'tool_failure' THEN 0.5 WHEN 'nothing' THEN 0.3 ELSE 0.6
        END AS confidence,
    event_ids
FROM told, rules
WHERE CASE
    WHEN detail = 'bad rating' THEN true
    WHEN NOT visible OR shown_ms < seen_ms THEN false
    WHEN detail = 'nothing' THEN coalesce(visible, false)
    WHEN detail = 'hurry' THEN shown_ms < reading_ms
    -- After a struggle, who stays with the answer for long has found something in it.
    ELSE coalesce(shown_ms < 3 * reading_ms, true)
END
