-- Of two runs of one task, the one that did the work is preferred to the one that failed: both from where they part, as
-- JSON text. Each with each; the pairs of one run weigh no more than one together. The outcome speaks of the whole run:
-- most steps of a run that failed were right.
WITH numbered AS (
    SELECT *, row_number() OVER (PARTITION BY workload, task, success ORDER BY conversation) AS place
    FROM runs
    -- A task that was run a thousand times gives no million pairs.
    QUALIFY place <= 32
),
met AS (
    SELECT good.workload, good.answer, good.task, good.said AS good_said, bad.said AS bad_said,
        list_concat(good.evidence, bad.evidence) AS evidence,
        1 / greatest(
            count(DISTINCT good.conversation) OVER (PARTITION BY good.workload, good.task),
            count(DISTINCT bad.conversation) OVER (PARTITION BY good.workload, good.task)) AS weight,
        -- Messages before the first that differs.
        coalesce(list_position(list_transform(
            range(1, least(len(good.said), len(bad.said)) + 1), lambda place: good.said[place] = bad.said[place]
        ), false) - 1, least(len(good.said), len(bad.said))) AS common
    FROM numbered AS good JOIN numbered AS bad USING (workload, task)
    WHERE good.success AND NOT bad.success
)
SELECT exchanges.* REPLACE (to_json(good_said[:common])::VARCHAR AS prompt),
    to_json(good_said[common + 1:])::VARCHAR AS chosen, to_json(bad_said[common + 1:])::VARCHAR AS rejected,
    true AS trajectory, met.weight, 0.9 AS confidence, evidence
FROM met JOIN exchanges USING (workload, answer, task)
WHERE len(good_said) > common AND len(bad_said) > common
