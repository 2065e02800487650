-- Answers left behind in a chain of which nothing was kept. None of them won, so none of them lost to another: the whole
-- chain weighs three tenths of a verdict, however often they asked. Its last answer is not judged. Where something was used
-- and then complained about, or written anew, the chain rests on that too.
WITH members AS (
    SELECT workload, other AS last_answer, answer FROM signals WHERE kind = 'regeneration'
    UNION
    SELECT workload, other, other FROM signals WHERE kind = 'regeneration'
),
chains AS (
    SELECT workload, last_answer, count(DISTINCT members.answer) - 1 AS length,
        flatten(list(evidence) FILTER (WHERE evidence IS NOT NULL)) AS given_up
    FROM members LEFT JOIN kept USING (workload, answer)
    GROUP BY ALL HAVING count(kept.text) = 0
)
SELECT exchanges.*, false AS desirable, 0.3 * signals.weight / length AS weight, signals.confidence,
    flatten([exchanges.event_ids[:1], signals.event_ids, coalesce(given_up, [])]) AS evidence
FROM exchanges JOIN signals USING (workload, answer)
    JOIN chains ON chains.workload = signals.workload AND last_answer = signals.other
WHERE signals.kind = 'regeneration' AND signals.weight > 0
