-- The user asked for the same again in other words and had kept nothing of this answer: `value` is how alike the two
-- requests are, `text` the second, `other` its answer. Weak evidence of a bad answer, because people also repeat
-- themselves.
-- `detail`: `reworded`, or `repeated` where they hardly changed a word.
SELECT workload, answer, likeness AS value,
    CASE WHEN likeness > rephrase_same THEN 'repeated' ELSE 'reworded' END AS detail,
    said AS text, next_answer AS other, followups.confidence, 0.5 AS weight, [key, next_key] AS event_ids
FROM followups JOIN exchanges USING (workload, answer), rules
WHERE reading = 'rephrase' AND final IS NULL
