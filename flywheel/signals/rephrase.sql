-- The user asked nearly the same again in other words and kept nothing of this answer: `value` is how alike the two requests are.
-- Likeness alone is weak evidence of a bad answer (people repeat themselves); it is counted, not trained on.
SELECT workload, answer, likeness AS value, next_request AS text, next_answer AS other, 0.5 AS confidence, event_ids
FROM (
    SELECT *, 1 - levenshtein(request, next_request) / greatest(length(request), length(next_request), 1) AS likeness
    FROM (
        SELECT *,
            lead(request) OVER talk AS next_request,
            lead(answer) OVER talk AS next_answer,
            lead(parent) OVER talk AS next_parent
        FROM exchanges
        WINDOW talk AS (PARTITION BY workload, conversation ORDER BY time, answer)
    )
    WHERE final IS NULL AND next_parent <> parent
), rules
WHERE likeness >= rephrase_similarity
