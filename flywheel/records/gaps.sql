-- Form or facts. An edit or a correction brings facts where it holds numbers, names, identifiers, dates or addresses that
-- stand neither in the prompt, documents included, nor in the answer: no answer could have held them, and training on
-- them would teach the model to invent. Such a record goes to a list for people, and not to training.
--
-- Two kinds of evidence. An order number, an amount, an address, a code or a masked placeholder is a fact by its looks.
-- A name, a small number or a term is one only if it is a good part of what was newly said: somebody who writes a
-- paragraph anew brings in names too, and that is form. Capitals say nothing at the start of a sentence, in a heading, in
-- code, in shouting, and in a language that writes all nouns with them; nor does a number written in another way.
CREATE TEMP TABLE gaps AS
WITH told AS (
    SELECT signals.workload, signals.answer, signals.kind, signals.text AS said, signals.event_ids,
        -- List marks are layout, and what a program printed is no news to anybody's retrieval.
        regexp_replace(CASE signals.kind WHEN 'correction' THEN own_words(signals.text) ELSE signals.text END,
            '(?m)^\s*(\(?\d{1,2}[.)]|[-*•])\s', '', 'g') AS text,
        said_in(prompt) || chr(10) || response AS known
    FROM signals JOIN exchanges USING (workload, answer), rules
    WHERE signals.kind IN ('edit', 'correction') AND signals.text IS NOT NULL
        AND NOT list_contains(rules_off, 'knowledge_gap')
),
-- Every fact has a figure, a capital or a sign in it: where all words that have one stand in what was known as they are,
-- there is nothing to look for.
hopeful AS MATERIALIZED (
    SELECT * FROM told WHERE len(list_filter(
        regexp_extract_all(text, '\S*(?:[\p{N}\p{Lu}_@\[]|://|www\.)\S*'), lambda word: NOT contains(known, word)
    )) > 0
),
split AS MATERIALIZED (
    SELECT *, lower(known) AS known_lower, words(known) AS known_words, words(text) AS text_words FROM hopeful
),
looked AS MATERIALIZED (
    SELECT *,
        list_concat(digit_groups(known), list_transform(list_filter([
            {'word': 'one', 'digits': '1'}, {'word': 'two', 'digits': '2'}, {'word': 'three', 'digits': '3'},
            {'word': 'four', 'digits': '4'}, {'word': 'five', 'digits': '5'}, {'word': 'six', 'digits': '6'},
            {'word': 'seven', 'digits': '7'}, {'word': 'eight', 'digits': '8'}, {'word': 'nine', 'digits': '9'},
            {'word': 'ten', 'digits': '10'}, {'word': 'eleven', 'digits': '11'}, {'word': 'twelve', 'digits': '12'},
            {'word': 'twenty', 'digits': '20'}, {'word': 'thirty', 'digits': '30'}, {'word': 'hundred', 'digits': '100'}
        ], lambda number: list_contains(known_words, number.word)), lambda number: number.digits)) AS known_digits,
        list_distinct(regexp_extract_all(
            text, '\[[A-Z][A-Z_]*_[0-9a-f]{2,}\]|https?://[^\s)>"\]]+|www\.[^\s)>"\]]+|[\w.+-]+@[\w-]+\.\w[\w.]*\w'
        )) AS addresses,
        list_distinct(regexp_extract_all(
            text, '[$€£#]?(?:[\p{L}\p{N}_]+[-_/])?\p{L}*\d(?:[\p{L}\p{N}_/:.,''’-]*[\p{L}\p{N}])?[%€$£]?'
        )) AS numbers,
        CASE WHEN NOT regexp_matches(text, '\b(der|die|das|und|ist|nicht|ein|eine|für|mit|bitte)\b')
                AND len(list_distinct(regexp_extract_all(text, '\b\p{Lu}{2,}\b'))) < 3 THEN
            list_distinct(regexp_extract_all(
                text, '[\p{L}\p{N}] +(\p{Lu}[\p{L}\p{N}]*\p{L}[\p{L}\p{N}]*(?: \p{Lu}[\p{L}\p{N}]*\p{L}[\p{L}\p{N}]*)*)', 1
            ))
        ELSE [] END AS names,
        list_distinct(regexp_extract_all(text, '\w+_\w+|\b\p{Ll}+\p{Lu}\w*')) AS terms,
        list_filter(text_words, lambda word: contentful(word) AND NOT list_contains(known_words, word)) AS new_words
    FROM split
),
new AS MATERIALIZED (
    SELECT *,
        list_filter(addresses, lambda found: NOT contains(known_lower, lower(found))) AS new_addresses,
        list_filter(numbers, lambda found:
            len(list_filter(digit_groups(found), lambda digits: NOT list_contains(known_digits, digits))) > 0
            AND len(list_filter(addresses, lambda address: contains(address, found))) = 0) AS new_numbers,
        list_filter(list_concat(names, terms), lambda found:
            NOT regexp_matches(found, '\d')
            AND len(string_split(found, ' ')) < 4
            AND len(list_filter(words(found), lambda word:
                length(word) > 1 AND NOT list_contains(plain_words(), word) AND NOT contains(known_lower, word))) > 0
            AND len(list_filter(addresses, lambda address: contains(address, found))) = 0) AS new_names
    FROM looked
),
weighed AS (
    SELECT *,
        list_concat(new_addresses, list_filter(new_numbers, lambda found: regexp_matches(
            found, '[$€£#%]|\d(?:\D?\d){3}|\p{Lu}[\p{L}_/-]*\d\d|\d\d[_/-]*\p{Lu}'))) AS strong,
        list_concat(new_numbers, new_names) AS weak,
        len(list_concat(new_numbers, new_names)) / greatest(len(new_words), 1) AS part
    FROM new
)
SELECT workload, answer, kind, said, event_ids, list_sort(list_distinct(list_concat(strong, weak))) AS missing,
    CASE WHEN len(strong) > 0 THEN 0.9 ELSE round(0.3 + 0.4 * least(part, 1), 6) END AS confidence
FROM weighed
WHERE len(strong) > 0 OR (len(weak) > 0 AND part >= 0.2)
