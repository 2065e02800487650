-- The user changed the answer before using it: `value` is the share of the text that changed, `text` what they kept.
-- A typo mended says nothing; an edit says what the answer should have been, not that the rest of it was good.
SELECT workload, answer, distance AS value, final AS text, NULL AS other, 0.8 AS confidence, event_ids
FROM (
    SELECT *, levenshtein(response, final) / greatest(length(response), length(final), 1) AS distance
    FROM exchanges WHERE final IS NOT NULL AND final <> response
), rules
WHERE distance >= edit_typo
