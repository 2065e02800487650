-- What the rules share to look into texts. Nothing here decides anything.

-- All that the messages of a prompt say, as one text.
CREATE TEMP MACRO said_in(prompt) AS array_to_string(json_extract_string(prompt::JSON, '$[*].content'), chr(10));

-- Messages as JSON text, taken apart.
CREATE TEMP MACRO messages(prompt) AS
    from_json(prompt::JSON, '[{"role": "VARCHAR", "content": "VARCHAR"}]');

-- What a person wrote themselves: without the code they pasted, and without what a program printed.
CREATE TEMP MACRO own_words(text) AS regexp_replace(regexp_replace(text,
    '(?s)```.*?(?:```|$)|\b(?:Traceback \(|(?:Error|Errors|Exception|Warning):).*$', ' ', 'g'),
    '(?m)^(?: {4}|\t|def |class |import |from \w+ import|return |for .*:$|if .*:$|while .*:$|print\(|#|'
    '[\w\[\]''".]+ \+?= ).*$', ' ', 'g');

CREATE TEMP MACRO words(text) AS list_distinct(regexp_extract_all(lower(text), '[\p{L}\p{N}]+'));

-- Words that carry no content of their own, and those with which people complain, greet and thank.
CREATE TEMP MACRO plain_words() AS string_split(
    'a about above actually after again all also always am an and answer any are as ask asked at back be because been
    before being below best better but by can cannot change could correct corrected correction dear did do does doing
    done each else even every everything fix for from get give given good great had has have he hello help her here hers
    hey hi him his how however i if in incorrect instead into is it its just kind know let like make many may me mean
    meant might mine mistake more most much must my need needs never no not nothing now of off ok okay on once one only
    or other our out over please pls put really regards reply right said same say says see she should sincerely so some
    something sorry still such sure take tell than thank thanks that the their them then there these they thing this
    those to too try under until up us use very want wanted was we well were what when where which while who why will
    wish with without would write wrong yes yet you your yours
    aber als auch auf bei bitte danke das dass dem den der des die doch ein eine einen er es falsch für hallo ich ihr ihre
    im in ist ja kann kein keine mit nein nicht noch nur oder sie sind so und uns von war was wie wir zu zum zur', ' '
);

-- A word that says what a text is about.
CREATE TEMP MACRO contentful(word) AS
    (length(word) > 3 OR regexp_matches(word, '\d')) AND NOT list_contains(plain_words(), word);

-- All groups of digits, whatever stands between them: `1,000` is `1000`, and a date is its numbers in any order.
CREATE TEMP MACRO digit_groups(text) AS list_distinct(list_filter(list_transform(
    regexp_extract_all(
        regexp_replace(
            regexp_replace(text, '(\d)[,.''’](\d{3})\b', '\1\2', 'g'), '(\d)[,.''’](\d{3})\b', '\1\2', 'g'
        ), '\d+'
    ), lambda digits: ltrim(digits, '0')), lambda digits: digits <> ''));
