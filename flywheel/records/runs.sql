-- Conversations that ended in an outcome, as one list of messages: `given` of them stood before the first answer. Only
-- where the last prompt holds all that came before: some products send the model no more than the last request.
CREATE TEMP TABLE runs AS
WITH told AS (
    SELECT workload, conversation, task,
        arg_max(outcome, (time, answer)) FILTER (WHERE outcome IS NOT NULL) > 0 AS success,
        arg_max(answer, (time, answer)) AS answer,
        arg_min(prompt, (time, answer)) AS first_prompt,
        max(turn) AS turns,
        flatten(list(event_ids)) AS evidence
    FROM exchanges
    GROUP BY ALL HAVING count(outcome) > 0
),
opened AS (
    SELECT told.*, messages(exchanges.prompt) AS before, len(messages(first_prompt)) AS given,
        list_append(before, {'role': 'assistant', 'content': response}) AS said
    FROM told JOIN exchanges USING (workload, conversation, answer)
)
SELECT workload, conversation, task, answer, success, first_prompt, given, said, evidence,
    turns > 1 OR len(list_filter(said, lambda message: message.role = 'tool')) > 0 AS long
FROM opened
WHERE before[:given] = messages(first_prompt)
    AND len(list_filter(before[given + 1:], lambda message: message.role = 'assistant')) >= turns - 1
