-- The model declined a request that was a fair one: the user insisted, or wrote the answer in its place. A refusal that
-- nobody contested is no signal, because it may have been right. `text` is the request, `other` the answer to the next
-- attempt.
-- `detail`: how the refusal is known, `declared` by the product or `worded` as one; and how its fairness: `, then
-- answered` where the next attempt was not refused, `, then refused` where it was (people insist on what they should
-- not get, too), or `, then written`.
WITH opened AS (
    -- English openings only; an apology alone is no refusal.
    SELECT workload, answer, parent, conversation, attempt, request, response, final, event_ids[1] AS key, refused,
        refused OR regexp_matches(
            replace(replace(lower(left(response, 160)), '''', ''), '’', ''),
            '^\W*(?:(?:im|i am) (?:very |so |really |truly )?(?:sorry|afraid)[^.]{0,40}?\b|unfortunately,? |sorry,? (?:but )?)?'
            '(?:as an? (?:ai|language model|assistant)[^.]{0,60}?, ?)?(?:but )?(?:i|im|i am) '
            '(?:cant|cannot|can not|wont|will not|not able to|unable to|not allowed to|must decline to|have to decline to) '
            '(?:\w+ )?(?:help|assist|do|provide|answer|fulfil|fulfill|comply|complete|create|write|discuss|share|generate|'
            'support)\b'
        ) AS declined
    FROM exchanges
),
edits AS (
    SELECT workload, answer, list(key ORDER BY time, key) AS keys FROM events WHERE kind = 'edited' GROUP BY ALL
),
contested AS (
    SELECT workload, answer, next_answer, [next_key] AS keys, confidence
    FROM followups WHERE reading IN ('rephrase', 'correction', 'complaint')
    UNION ALL
    SELECT earlier.workload, earlier.answer, later.answer, [later.key], 0.7
    FROM opened AS earlier JOIN opened AS later
        ON later.workload = earlier.workload AND later.conversation = earlier.conversation
        AND later.parent = earlier.parent AND later.attempt = earlier.attempt + 1
    WHERE earlier.declined
    UNION ALL
    SELECT opened.workload, opened.answer, NULL, edits.keys, 0.8
    FROM opened JOIN edits USING (workload, answer) WHERE declined AND final <> response
),
first_contest AS (
    SELECT * FROM contested
    QUALIFY row_number() OVER (PARTITION BY workload, answer ORDER BY next_answer IS NULL DESC, keys) = 1
)
SELECT workload, opened.answer, 1.0 AS value,
    concat(CASE WHEN opened.refused THEN 'declared' ELSE 'worded' END, ', ',
        CASE WHEN next_answer IS NULL THEN 'then written' WHEN later.declined THEN 'then refused'
            ELSE 'then answered' END) AS detail,
    opened.request AS text, next_answer AS other,
    round(first_contest.confidence * CASE WHEN opened.refused THEN 1.0 ELSE 0.8 END
        * CASE WHEN later.declined THEN 0.6 ELSE 1.0 END, 4) AS confidence,
    CASE WHEN later.declined THEN 0.2 ELSE 0.5 END AS weight,
    list_prepend(opened.key, keys) AS event_ids
FROM opened JOIN first_contest USING (workload, answer)
    LEFT JOIN opened AS later ON later.workload = opened.workload AND later.answer = next_answer
WHERE opened.declined AND (opened.final IS NULL OR next_answer IS NULL)
