-- Answers to one prompt in different conversations, ordered only as far as people's opinions order them: the mean over
-- distinct people of what each said or did. A rating is an opinion from -1 to 1; using an answer as it was is 1, a
-- complaint after that -1; editing it is 0 for the answer and 1 for what it became. Equal means are no order, an answer
-- nobody judged is not in it, and answers that read the same are one. Nor do the answers of one conversation alone
-- make an order. Confidence falls with each person who, having judged two, would order them the other way.
WITH answers AS (
    SELECT *, count(DISTINCT conversation) OVER (PARTITION BY workload, parent, prompt) AS conversations
    FROM exchanges SEMI JOIN (
        SELECT workload, parent FROM exchanges GROUP BY ALL HAVING count(DISTINCT conversation) > 1
    ) AS shared USING (workload, parent)
    QUALIFY conversations > 1
),
opinions AS (
    SELECT workload, parent, prompt, answers.time, answers.answer, answers.conversation, response AS text,
        coalesce(nullif(split_part(about, ' ', 1), ''), user) AS person, greatest(-1, least(1, value)) AS opinion,
        signals.event_ids, signals.confidence, answers.event_ids[1] AS key, true AS sampled
    FROM answers JOIN signals USING (workload, answer) WHERE kind = 'rating'
    UNION ALL
    SELECT workload, parent, prompt, answers.time, answers.answer, answers.conversation, coalesce(final, response), user,
        CASE WHEN value > 0 THEN 1 ELSE -1 END, signals.event_ids, signals.confidence,
        answers.event_ids[1], coalesce(final, response) = response
    FROM answers JOIN signals USING (workload, answer)
    WHERE kind = 'acceptance'
        AND (value < 0 OR (workload, answer) IN (SELECT (workload, answer) FROM kept WHERE text IS NOT NULL))
    UNION ALL
    SELECT workload, parent, prompt, answers.time, answers.answer, answers.conversation, unnest([response, text]), user,
        unnest([0, 1]), signals.event_ids, signals.confidence, answers.event_ids[1], unnest([true, false])
    FROM answers JOIN signals USING (workload, answer) WHERE kind = 'edit' AND weight > 0
),
people AS (
    SELECT workload, parent, prompt, text, person, list_avg(list(opinion ORDER BY opinion)) AS opinion,
        min(confidence) AS confidence,
        bool_or(sampled) AS sampled,
        list(answer) AS origins,
        list(conversation) AS places,
        arg_min(answer, (time, answer)) AS answer,
        list_concat(list(key), flatten(list(event_ids))) AS evidence
    FROM opinions
    -- What the model could not have known is nothing to compare it with.
    WHERE NOT EXISTS (
        SELECT 1 FROM gaps
        WHERE gaps.workload = opinions.workload AND gaps.answer = opinions.answer AND kind = 'edit' AND said = text
    )
    GROUP BY workload, parent, prompt, text, person
),
texts AS (
    SELECT workload, parent, prompt, text,
        round(list_avg(list(opinion ORDER BY opinion)), 6) AS score,
        min(confidence) AS confidence,
        bool_or(sampled) AS sampled,
        flatten(list(origins)) AS origins,
        flatten(list(places)) AS places,
        min(answer) AS answer,
        flatten(list(evidence)) AS evidence
    FROM people
    GROUP BY workload, parent, prompt, text
    -- A ranking longer than this is cut to those that most people judged: its pairs grow with the square.
    QUALIFY row_number() OVER (PARTITION BY workload, parent, prompt ORDER BY count(*) DESC, text) <= 64
),
ranked AS (
    SELECT *, dense_rank() OVER (PARTITION BY workload, parent, prompt ORDER BY score DESC) AS rank FROM texts
),
agreement AS (
    SELECT workload, parent, prompt,
        count(*) FILTER (WHERE better.opinion > worse.opinion) / count(*) AS share
    FROM ranked AS high JOIN people AS better USING (workload, parent, prompt, text)
        JOIN people AS worse USING (workload, parent, prompt, person)
        JOIN ranked AS low ON low.workload = worse.workload AND low.parent = worse.parent AND low.prompt = worse.prompt
            AND low.text = worse.text
    WHERE high.rank < low.rank AND better.opinion <> worse.opinion
    GROUP BY ALL
),
rankings AS (
    SELECT workload, parent, prompt,
        list(text ORDER BY rank, text) AS responses,
        list(rank ORDER BY rank, text) AS ranks,
        list(evidence ORDER BY rank, text) AS sources,
        list(origins ORDER BY rank, text) AS origins,
        list(places ORDER BY rank, text) AS places,
        min(confidence) AS confidence,
        arg_min(answer, (rank, answer)) AS answer
    FROM ranked GROUP BY ALL
    HAVING count(*) FILTER (WHERE sampled) > 1 AND len(list_distinct(flatten(list(places)))) > 1
)
SELECT exchanges.*, responses, ranks, sources, origins, places, flatten(sources) AS evidence, 1.0 AS weight,
    round(confidence * coalesce(share, 1), 6) AS confidence
FROM rankings JOIN exchanges USING (workload, answer) LEFT JOIN agreement
    ON agreement.workload = rankings.workload AND agreement.parent = rankings.parent AND agreement.prompt = rankings.prompt
WHERE list_max(ranks) > 1
