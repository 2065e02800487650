-- The answer was on screen for at least `seen_ms`, the user kept nothing of it and went on to something else in the
-- same conversation. It does not mean that it was bad: an answer that is only read leaves no trace either. Hence so
-- little weight.
-- `value` is how many seconds it was visible. What was asked again, called wrong, thanked for or asked about was not
-- dismissed.
-- `detail`: `kept another` where the user keeps answers in this conversation, so that keeping none says something; else
-- `moved on`.
SELECT workload, answer, shown_ms / 1000 AS value,
    CASE WHEN keeps THEN 'kept another' ELSE 'moved on' END AS detail,
    CASE WHEN keeps THEN 0.5 ELSE 0.3 END AS confidence,
    CASE WHEN keeps THEN 0.25 ELSE 0.1 END AS weight,
    list_concat([followups.key], seen.keys, [next_key]) AS event_ids
FROM followups
    JOIN (SELECT *, bool_or(final IS NOT NULL) OVER (PARTITION BY workload, conversation) AS keeps FROM exchanges)
        USING (workload, answer)
    JOIN (
        SELECT workload, answer, list(key ORDER BY time, key) AS keys FROM events WHERE kind = 'shown' GROUP BY ALL
    ) AS seen USING (workload, answer), rules
WHERE reading = 'nothing' AND final IS NULL AND shown_ms >= seen_ms AND NOT EXISTS (
    SELECT 1 FROM events
    WHERE events.kind = 'rated' AND events.value > 0
        AND events.workload = followups.workload AND events.answer = followups.answer
)
