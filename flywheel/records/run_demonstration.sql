-- A run that did its work shows how, tools and all: the messages from the first answer on, as JSON text. An answer that
-- took one turn and no tool is none: that somebody was served says little about its words.
SELECT exchanges.* REPLACE (first_prompt AS prompt), to_json(said[given + 1:])::VARCHAR AS completion, completion AS other,
    true AS trajectory, 1.0 AS weight, 0.9 AS confidence, evidence
FROM runs JOIN exchanges USING (workload, conversation, answer)
WHERE success AND long
