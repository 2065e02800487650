-- The conversation ended and the user had kept nothing of its last answer. An open conversation is censored, not abandoned.
-- Ending carries little polarity: some people read, nod and go. It is a case to look at, not a training label.
SELECT workload, answer, 1.0 AS value, NULL AS text, NULL AS other, 0.3 AS confidence, event_ids
FROM (
    SELECT * FROM exchanges
    QUALIFY row_number() OVER (PARTITION BY workload, conversation ORDER BY time DESC, answer DESC) = 1
) AS last_of_conversation
WHERE closed AND final IS NULL AND NOT EXISTS (
    SELECT 1 FROM events
    WHERE events.kind = 'rated' AND events.value > 0
        AND events.workload = last_of_conversation.workload AND events.answer = last_of_conversation.answer
)
