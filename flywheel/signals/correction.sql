-- The user's next request said that this answer is wrong: `text` is what they wrote, `other` the answer to it. It may
-- come after they used the answer: people copy, try, and complain. They may be mistaken, and may speak of one part
-- alone.
-- `detail`: `correction` also says what it should be, `complaint` only that it is wrong.
SELECT workload, answer, 1.0 AS value, reading AS detail, said AS text, next_answer AS other, confidence,
    CASE reading WHEN 'correction' THEN 1.0 ELSE 0.5 END AS weight, [key, next_key] AS event_ids
FROM followups WHERE reading IN ('correction', 'complaint')
