-- The answer after a correction is preferred to the one before it, under the original prompt: but only if it was kept, and
-- only if it could have been given at once. So it may use no word that the correction newly told, and may not speak to the
-- correction ("you are right, here is the corrected one"): the model would learn to answer what nobody said.
WITH met AS (
    SELECT signals.workload, signals.answer, signals.text AS said, signals.weight, kept.text AS better,
        least(signals.confidence, kept.confidence) AS confidence,
        list_concat(signals.event_ids, kept.evidence) AS evidence
    FROM signals JOIN kept ON kept.workload = signals.workload AND kept.answer = signals.other
    ANTI JOIN gaps ON gaps.workload = signals.workload AND gaps.answer = signals.answer AND gaps.kind = 'correction'
    WHERE signals.kind = 'correction' AND signals.weight > 0
        AND NOT regexp_matches(kept.text, '(?i)^\W*(?:i(?:[’'']m| am| do)?(?: \w+)? (?:apolog|sorry)|(?:so |very )?sorry|'
            'apologies|my (?:bad|mistake|apolog)|you(?:[’'']re| are) (?:\w+ )?(?:right|correct)|thank(?:s| you) for|'
            'good (?:catch|point)|entschuldig|tut mir leid|sie haben recht)')
),
told AS (
    SELECT met.*, words(said_in(prompt) || chr(10) || response) AS known,
        list_concat(
            list_filter(list_intersect(words(coalesce(said, '')), words(better)), lambda word: contentful(word)),
            list_intersect(string_split('modified updated corrected revised fixed adjusted earlier previous previously '
                'instead oversight confusion apologize apologies mistake', ' '), words(left(better, 200)))
        ) AS spoken
    FROM met JOIN exchanges USING (workload, answer)
    WHERE better <> response
)
SELECT exchanges.*, better AS chosen, response AS rejected, told.weight, told.confidence,
    list_prepend(exchanges.event_ids[1], evidence) AS evidence
FROM told JOIN exchanges USING (workload, answer)
WHERE len(list_filter(spoken, lambda word: NOT list_contains(known, word))) = 0
