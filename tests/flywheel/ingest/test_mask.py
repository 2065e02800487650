"""Masking: what is planted is found, what is clean is left alone, and the prefilter sees all of it."""

import csv
import json
import os
import random
import re
import string
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flywheel.ingest.mask import CANDIDATE, PLACEHOLDER, mask, mask_columns, mask_id, mask_json, user_hash
from flywheel.ingest.mask.checks import luhn

SALT = "a salt"
Draw = random.Random


def some(draw: Draw, alphabet: str, length: int) -> str:
    return "".join(draw.choices(alphabet, k=length))


WORD, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
DIGITS, LOWER, UPPER = string.digits, string.ascii_lowercase, string.ascii_uppercase


# ---- what is planted -----------------------------------------------------------------------------------------------


def api_key(draw: Draw) -> str:
    forms: list[Callable[[], str]] = [
        lambda: f"sk-{some(draw, WORD, 48)}",
        lambda: f"sk-proj-{some(draw, WORD + '-_', 60)}{some(draw, WORD, 8)}",
        lambda: f"sk-ant-api03-{some(draw, WORD + '-_', 90)}AA",
        lambda: f"AKIA{some(draw, UPPER + '234567', 16)}",
        lambda: f"gh{draw.choice('pousr')}_{some(draw, WORD, 36)}",
        lambda: f"github_pat_{some(draw, WORD, 22)}_{some(draw, WORD, 59)}",
        lambda: f"glpat-{some(draw, WORD, 20)}",
        lambda: f"xoxb-{some(draw, DIGITS, 11)}-{some(draw, DIGITS, 12)}-{some(draw, WORD, 24)}",
        lambda: f"{draw.choice('sr')}k_live_{some(draw, WORD, 24)}",
        lambda: f"AIza{some(draw, WORD, 35)}",
        lambda: f"hf_{some(draw, WORD, 34)}",
        lambda: f"npm_{some(draw, WORD, 36)}",
        lambda: f"SG.{some(draw, WORD, 22)}.{some(draw, WORD + '-_', 42)}Z",
        lambda: f"SK{some(draw, HEX, 32)}",
        lambda: f"ya29.{some(draw, WORD, 60)}",
    ]
    return draw.choice(forms)()


def jwt(draw: Draw) -> str:
    return f"eyJ{some(draw, WORD, 33)}.eyJ{some(draw, WORD + '-_', 80)}.{some(draw, WORD + '-_', 42)}x"


def pem(draw: Draw) -> str:
    kind = draw.choice(["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "])
    newline = draw.choice(["\n", "\n", "\\n"])
    lines = [some(draw, WORD + "+/", 64) for _ in range(draw.randint(3, 12))] + [some(draw, WORD, 22) + "=="]
    return newline.join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"])


def password(draw: Draw) -> str:
    return some(draw, LOWER, draw.randint(4, 7)) + draw.choice("!@#$%^*+~") + some(draw, WORD, 4) + draw.choice(DIGITS)


def email(draw: Draw) -> str:
    names = ["anna", "bob", "jürgen", "maria", "li", "omar", "o.brien", "first_last", "x"]
    host = draw.choice(["example.com", "mail.acme.co.uk", "uni-bonn.de", "corp.io", "web.museum", "münchen.de"])
    return f"{draw.choice(names)}{draw.choice(['', '.', '+', '-', '_'])}{some(draw, LOWER + DIGITS, 4)}@{host}"


def phone(draw: Draw) -> str:
    area, middle, last = draw.randint(201, 989), draw.randint(200, 999), some(draw, DIGITS, 4)
    return draw.choice(
        [
            f"({area}) {middle}-{last}",
            f"{area}-{middle}-{last}",
            f"{area} {middle}-{last}",
            f"({area}) {middle} {last}",
            f"{area}.{middle}.{last}",
            f"1-{area}-{middle}-{last}",
            f"+1 {area} {middle} {last}",
            f"+1 ({area}) {middle}-{last}",
            f"+1{area}{middle}{last}",
            f"+44 20 {some(draw, DIGITS, 4)} {last}",
            f"+44 (0) 7700 {some(draw, '123456789', 3)} {some(draw, DIGITS, 3)}",
            f"+49 30 {some(draw, DIGITS, 8)}",
            f"+33 6 {' '.join(some(draw, DIGITS, 2) for _ in range(4))}",
            f"+91-98{some(draw, DIGITS, 3)}-{some(draw, DIGITS, 5)}",
            f"+86 138 {some(draw, DIGITS, 4)} {last}",
        ]
    )


def called(draw: Draw) -> str:
    """A number that only the word before it says is a phone."""
    middle, last = draw.randint(200, 999), some(draw, DIGITS, 4)
    return draw.choice(
        [
            f"{draw.randint(201, 989)}{middle}{last}",
            f"{draw.randint(201, 989)} {middle} {last}",
            f"07{some(draw, DIGITS, 3)} {some(draw, DIGITS, 6)}",
            f"020 {some(draw, DIGITS, 4)} {last}",
            f"0{some(draw, '123456789', 3)}/{some(draw, DIGITS, 7)}",
            f"{middle}-{last}",
        ]
    )


def card(draw: Draw) -> str:
    start, length = draw.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2223", 16), ("37", 15), ("6011", 16), ("3530", 16)]
    )
    body = start + some(draw, DIGITS, length - 1 - len(start))
    digits = next(body + last for last in DIGITS if luhn(body + last))
    gap = draw.choice([" ", "-", ""])
    parts = [digits[:4], digits[4:10], digits[10:]] if length == 15 else [digits[at : at + 4] for at in range(0, 16, 4)]
    return gap.join(parts)


def iban(draw: Draw) -> str:
    land, body = draw.choice(
        [
            ("DE", some(draw, DIGITS, 18)),
            ("GB", some(draw, UPPER, 4) + some(draw, DIGITS, 14)),
            ("FR", some(draw, DIGITS, 10) + some(draw, UPPER + DIGITS, 11) + some(draw, DIGITS, 2)),
            ("NL", some(draw, UPPER, 4) + some(draw, DIGITS, 10)),
            ("NO", some(draw, DIGITS, 11)),
            ("MT", some(draw, UPPER, 4) + some(draw, DIGITS, 5) + some(draw, UPPER + DIGITS, 18)),
        ]
    )
    check = 98 - int("".join(str(int(char, 36)) for char in f"{body}{land}00")) % 97
    account = f"{land}{check:02d}{body}"
    return draw.choice([account, " ".join(account[at : at + 4] for at in range(0, len(account), 4))])


def ssn(draw: Draw) -> str:
    area = draw.choice([*range(1, 666), *range(667, 900)])
    return f"{area:03d}-{draw.randint(1, 99):02d}-{draw.randint(1, 9999):04d}"


def ipv4(draw: Draw) -> str:
    return f"{draw.choice([10, 34, 52, 91, 172, 192, 203])}.{'.'.join(str(draw.randint(0, 255)) for _ in range(3))}"


def ipv6(draw: Draw) -> str:
    groups = [f"{draw.randint(0, 65535):x}" for _ in range(7)]
    return draw.choice(
        [":".join(["2001", *groups]), f"2a02:{groups[0]}::{groups[1]}", f"fd00:{groups[2]}:1::{groups[3]}"]
    )


KINDS: dict[str, tuple[str, Callable[[Draw], str], list[str]]] = {
    # kind: class, generator, sentences of its own (without any, it stands in every sentence of SENTENCES)
    "api key": ("SECRET", api_key, []),
    "jwt": ("TOKEN", jwt, []),
    "pem": ("PRIVATE_KEY", pem, []),
    "email": ("EMAIL", email, []),
    "phone": ("PHONE", phone, []),
    "card": ("CARD", card, []),
    "iban": ("IBAN", iban, []),
    "ssn": ("SSN", ssn, []),
    "ipv4": ("IP", ipv4, []),
    "ipv6": ("IP", ipv6, []),
    "bearer": (
        "SECRET",
        lambda draw: some(draw, WORD, 40) + "7a",
        ["curl -H 'Authorization: Bearer {}' https://api.acme.io/v1", '{{"authorization": "Bearer {}", "ok": true}}'],
    ),
    "password": (
        "PASSWORD",
        password,
        ["my password is {}, what now?", "password={}\nuser=anna", '{{"user": "anna", "password": "{}"}}',
         "DB_PASSWORD='{}'",
         "<password>{}</password>", "Server=x;Password={};Port=1",
         "conn = connect(host, password=\"{}\")", "pwd: {}", '{{\\"passwd\\": \\"{}\\"}}'],
    ),
    "url password": (
        "PASSWORD",
        lambda draw: some(draw, WORD, 12),
        ["postgres://anna:{}@db.acme.io:5432/sales", "git clone https://bot:{}@git.acme.io/x.git",
         "redis://:{}@cache:6379"],
    ),
    "assigned key": (
        "SECRET",
        lambda draw: some(draw, WORD + "+/", 37) + "q8Z",
        ["aws_secret_access_key = {}", 'api_key: "{}"', "X-Api-Key: {}", 'os.environ["CLIENT_SECRET"] = "{}"',
         '{{"access_token":"{}","expires_in":3600}}', "const apiKey = '{}';"],
    ),
    "phone by its word": (
        "PHONE",
        called,
        ["call me at {} after six", "Phone: {}", "tel. {}", '{{"name": "Bo", "phone": "{}"}}', "my mobile is {}.",
         "WhatsApp {} or come by", "ring me on {}, please", "just text me on {}", "Fax no: {}", "my number is {}",
         "手机 {}", "reach me at {}."],
    ),
    "ssn by its word": (
        "SSN",
        lambda draw: ssn(draw).replace("-", ""),
        ["SSN {} on file", '{{"ssn": "{}"}}', "her social security number is {}."],
    ),
}  # fmt: skip

SENTENCES = [
    "Please use {} for this.",
    "It is {}, not the other one",
    "{}",
    "{} is what I have.",
    "user: hi\nassistant: hello\nuser: ok, {}\nassistant: thanks",
    "Contact\n{}\nBest, Anna",
    '{{"ok": true, "value": "{}", "n": 3}}',
    '{{\\"nested\\": \\"{}\\"}}',
    "a line\\n{}\\nanother line in JSON",
    "value = '{}'  # set by hand",
    'send("{}", retries=3)',
    "({}) and [{}] and <{}>",
    "| name | {} | 12.50 |",
    "- item: {};",
    "see \u201c{}\u201d \u2014 sent on 2026-01-05 09:30:00",
    "我的信息是 {} 谢谢",
]


def planted(seed: int, each: int) -> Iterator[tuple[str, str, str, str]]:
    """Kind, class, value and the text it stands in."""
    draw = Draw(seed)
    for kind, (name, make, sentences) in KINDS.items():
        for _ in range(each):
            value = make(draw)
            sentence = draw.choice(sentences or SENTENCES)
            yield kind, name, value, sentence.replace("{}", value).replace("{{", "{").replace("}}", "}")


def test_what_is_planted_is_masked_as_what_it_is() -> None:
    found: Counter[str] = Counter()
    of: Counter[str] = Counter()
    missed = []
    for kind, name, value, text in planted(seed=1, each=120):
        masked, counts = mask(text, SALT)
        of[kind] += 1
        if PLACEHOLDER.sub("[]", masked) == text.replace(value, "[]") and set(counts) == {name}:
            found[kind] += 1
        else:
            missed.append((kind, text, masked))
    rates = {kind: f"{found[kind]}/{of[kind]}" for kind in of}
    assert of.total() >= 1000
    assert len(of) >= 12
    assert found.total() >= 0.98 * of.total(), (rates, missed[:10])
    assert all(found[kind] >= 0.95 * of[kind] for kind in of), (rates, missed[:10])


# ---- what is clean -------------------------------------------------------------------------------------------------


CLEAN = [
    "127.0.0.1:8000",
    "0.0.0.0",
    "http://localhost:3000/a@b",
    "@app.route('/users')",
    "git@github.com:acme/site.git",
    "std::vector<int>::iterator",
    "aa:bb:cc:dd:ee:ff",
    "image@2x.png",
    "password = getpass()",
    "password=password, token=token",
    "api_key = os.environ['API_KEY']",
    "token = tokens[0]",
    "max_tokens: 1024",
    "the password is wrong",
    "if password == stored:",
    "SECRET=${SECRET}",
    "for i in range(1000000):",
    "x[1:2, ::2]",
    "sum(a*b for a, b in zip(xs, ys))",
    "call get_user(12345678)",
    "call function 20260105",
    "text 100 200 300",
    "ring 3 of 12",
    "SELECT * FROM t WHERE id = 4815162342",
]


def clean_item(draw: Draw) -> str:
    day = f"20{draw.randint(10, 39)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
    time = f"{draw.randint(0, 23):02d}:{draw.randint(0, 59):02d}:{draw.randint(0, 59):02d}"
    digits = some(draw, "123456789", 1) + some(draw, DIGITS, 30)
    version = f"{draw.randint(0, 30)}.{draw.randint(0, 30)}.{draw.randint(0, 30)}"
    return draw.choice(
        [
            f"{day} {time}",
            f"{day}T{time}Z",
            f"{day}T{time}.{digits[:6]}+02:00",
            f"{day.replace('-', '')}{time.replace(':', '')}",
            f"{day.replace('-', '/')} {time[:5]}",
            f"{day[8:]}.{day[5:7]}.{day[:4]}",
            f"[{day} {time},{digits[:3]}] INFO worker-{digits[:2]}",
            f"${digits[:4]}.{digits[4:6]}",
            f"€ {digits[:1]},{digits[1:4]}.{digits[4:6]}",
            f"USD {digits[:7]}.00",
            f"order {digits[:3]}-{digits[3:10]}-{digits[10:17]}",
            f"order #{digits[:10]}",
            f"Order number: {digits[:16]}",
            f"invoice INV-{day[:4]}-{digits[:6]}",
            f"invoice no. {digits[:12]}",
            f"tracking number 1Z{some(draw, UPPER + DIGITS, 6)}{digits[:10]}",
            f"FedEx {digits[:12]}",
            f"tracking: {digits[:4]} {digits[4:8]} {digits[8:12]}",
            f"FedEx tracking {digits[:15]}",
            f"USPS 9400{digits[:18]}",
            f"DHL {digits[:10]}",
            f"DHL JD01{digits[:16]}",
            f"ticket {digits[:8]}",
            f"ISBN 978-{digits[0]}-{digits[1:4]}-{digits[4:9]}-{digits[9]}",
            f"ISBN 978{digits[:10]}",
            f"v{version}.{digits[:2]}",
            f"version {version}.{digits[:1]}",
            f"package=={version}",
            f"lodash@{version}",
            f"Chrome/{version}.{digits[:2]} Safari/537.36",
            str(uuid.UUID(int=draw.getrandbits(128), version=4)),
            some(draw, HEX, 40),
            some(draw, HEX, 64),
            some(draw, HEX, 7),
            f"sha256:{some(draw, HEX, 64)}",
            some(draw, WORD + "+/", 60) + "==",
            f"17{digits[:8]}",
            f"17{digits[:11]}",
            f"17{digits[:14]}",
            f"17{digits[:17]}",
            f"0.{digits[:16]}",
            f"3.{digits[:15]}",
            f"{digits[:3]}.{digits[3:6]}",
            f"-{digits[:2]}.{digits[2:14]}",
            f"+{digits[:1]}.{digits[1:12]}",
            f"{digits[:1]}.{digits[1:9]}e+{digits[9:11]}",
            f"0x{some(draw, HEX, 16)}",
            f"{digits[:6]}",
            f"{digits[:3]},{digits[3:6]},{digits[6:9]}",
            f"{digits[:2]}% of {digits[2:6]}",
            f"10-{digits[:2]}-{digits[2:4]}",
            f"lines {digits[:3]}-{digits[3:6]}",
            f"({digits[:3]}, {digits[3:6]})",
            f"[{digits[:4]}, {digits[4:8]}, {digits[8:12]}, {digits[12:16]}]",
            f"flight HAT{digits[:3]} seat {digits[:2]}A",
            f"reservation {some(draw, UPPER + DIGITS, 6)}",
            *CLEAN,
        ]
    )


PROSE = re.findall(
    r"\S+",
    "The report was late again, so the team moved the meeting and asked for a shorter summary of what happened in the"
    " last week. Could you rewrite this more politely and keep the numbers as they are? Thanks, that reads well.",
)


def clean_texts(seed: int, texts: int) -> Iterator[str]:
    draw = Draw(seed)
    for _ in range(texts):
        yield " ".join(
            clean_item(draw) if draw.random() < 0.3 else " ".join(draw.choices(PROSE, k=4)) for _ in range(20)
        )


def spared(texts: list[str]) -> tuple[int, int, list[str]]:
    """Tokens masked, tokens in all, and the texts they stood in."""
    changed = [(text, *mask(text, SALT)) for text in texts]
    put = [counts.total() for _, _, counts in changed]
    return sum(put), sum(len(text.split()) for text in texts), [masked for _, masked, counts in changed if counts]


def test_clean_tokens_are_left_alone() -> None:
    wrong, tokens, where = spared(list(clean_texts(seed=2, texts=3000)))
    assert tokens > 100_000
    assert wrong <= 0.001 * tokens, f"{wrong} of {tokens} tokens: {where[:10]}"


@pytest.mark.parametrize(
    "text",
    [
        "4532 0151 1283 0367 has a wrong check digit",
        "GB83 WEST 1234 5698 7654 32 has one too",
        "my order number is 4532015112830366",
        "tracking #4532015112830366",
        "invoice no. 312-555-0134",
        "call me on 2026-01-05 09:30, not before",
        "phone 20260105093000",
        "reach me at 05.01.2026 12:00",
        "x = 0.4111111111111111 or 4.40248017e+41 2026 times",
        "f47ac10b-4111-1111-1111-111111111111",
        "ticket number 123-45-6789",
        "000-12-3456, 666-12-3456 and 123-00-4567 were never given out",
        "mobile 1.2345678",
        "risk-adjusted-performance-metric, task-sk-learn-something-long",
        "pip install flywheel==1.2.3.4 and nginx/1.2.3.4, see section 1.2.3.4",
        "::1, fe80::1, 127.0.0.1, 0.0.0.0, 255.255.255.0",
        "git clone git@github.com:acme/site.git",
        "password: ********, api_key=YOUR_API_KEY, token=<token>, secret: ${SECRET1}",
        "if token == tokens1[0]: secret = vault.read1",
        "Password is correct!",
        "[EMAIL_12ab] [CARD_0123] 1234567890123456 [PHONE_0123] 4155550132 password=[PASSWORD_0123]",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert mask(text, SALT) == (text, Counter())


# ---- real files ----------------------------------------------------------------------------------------------------


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(each)


def real(name: str) -> list[str]:
    if "FLYWHEEL_REAL_DATA" not in os.environ:
        pytest.skip("FLYWHEEL_REAL_DATA names no folder of real logs")
    texts: list[str] = []
    for path in sorted((Path(os.environ["FLYWHEEL_REAL_DATA"]) / name).rglob("*.*")):
        if path.suffix == ".csv":
            csv.field_size_limit(2**30)
            texts += [row[column] for row in csv.DictReader(path.open()) for column in ("request", "response")]
        else:
            texts += strings(json.loads(path.read_text()))
    return texts


@pytest.mark.parametrize(("name", "judged"), [("realhumaneval", 16), ("pandalm", 7), ("creativity_eval", 0)])
def test_real_texts_without_anything_personal_are_left_alone(name: str, judged: int) -> None:
    """What is masked was looked at: literal passwords in code that people wrote, one American phone in 7 places."""
    texts = real(name)
    put, tokens, where = spared(texts)
    candidates = pl.Series(texts).str.contains(CANDIDATE).sum()
    assert put <= min(judged, 0.001 * tokens), f"{put} of {tokens} tokens: {where[:10]}"
    assert candidates <= 0.03 * len(texts), f"{candidates} of {len(texts)} rows"


def test_the_addresses_in_real_agent_runs_are_masked() -> None:
    texts = real("tau_bench")
    masked = Counter[str]()
    for text in texts:
        left, counts = mask(text, SALT)
        masked += counts
        assert "@" not in left
    assert masked == Counter(EMAIL=sum(text.count("@") for text in texts))


# ---- what always holds ---------------------------------------------------------------------------------------------

MAKERS = [make for _, make, _ in KINDS.values()]
PIECES = [*SENTENCES, *(sentence for _, _, sentences in KINDS.values() for sentence in sentences)]
JOINTS = [
    "",
    " ",
    "\n",
    "\t",
    '"',
    "'",
    "\\",
    "\\n",
    "-",
    "+",
    ".",
    ",",
    ":",
    "=",
    "(",
    ")",
    "[",
    "]",
    "_",
    "@",
    "://",
    "1",
]
JOINTS += [
    "\x1b",
    "\x00",
    "é",
    "中",
    "\u2028",
    "a",
    "password",
    "token",
    "phone ",
    "card ",
    "ssn",
    "call me at ",
    "Bearer ",
]
JOINTS += [
    "v",
    "order ",
    "[EMAIL_12ab]",
    "[CARD_1234]",
    "[PASSWORD_0000",
    "sk-",
    "-----BEGIN PRIVATE KEY-----",
    "{",
    "}",
]


@st.composite
def messy(draw: st.DrawFn) -> str:
    """Planted items, torn ones and clean ones, with anything between them."""

    def part(number: int) -> str:
        chance = Draw(number)
        value = chance.choice([*MAKERS, clean_item])(chance)
        return chance.choice(
            [value, value, value[: chance.randint(0, len(value))], chance.choice(PIECES).replace("{}", value)]
        )

    items = st.integers(0, 2**32).map(part)
    return "".join(draw(st.lists(st.one_of(items, st.sampled_from(JOINTS), st.text(max_size=4)), max_size=8)))


def seen(texts: list[str]) -> bool:
    return bool(pl.Series(texts).str.contains(CANDIDATE).all())


EXAMPLES = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@EXAMPLES
@given(messy())
@example("bob@corp.iojürgen@web.museum")
def test_masking_again_changes_nothing(text: str) -> None:
    masked, counts = mask(text, SALT)
    assert mask(text, SALT) == (masked, counts)
    assert mask(masked, SALT) == (masked, Counter())
    assert (masked != text) == bool(counts)


@EXAMPLES
@given(messy(), st.sampled_from(["content", "password", "phone", "token", "ssn", "x@y.zone", "\n"]))
def test_whatever_is_masked_is_a_candidate_raw_and_in_json(text: str, key: str) -> None:
    if mask(text, SALT)[0] != text:
        assert seen([text, msgspec.json.encode([{"content": text}]).decode()])
    by_key = msgspec.json.encode({key: [1, {key: text}]}, order="sorted").decode()
    assert mask_json(by_key, SALT)[0] == by_key or seen([by_key])


@pytest.mark.parametrize(
    "text",
    [
        "\n-415-555-0132",
        "\t.4111 1111 1111 1111",
        "\x1f4111 1111 1111 1111",
        "\x10.4111 1111 1111 1111",
        "\x02-123-45-6789",
        "phone:\t4155550132",
        'he said "call me at\t\\ 4155550132"',
        "password\t=\thunter2",
        '{"passwd"\t:\t"hunter"}',
        "\nsk-0123456789abcdefghij",
        "\rbob@example.com",
        "\n+14155550132",
        "\nDE89 3704 0044 0532 0130 00",
        "\n10.1.2.3",
        "\n2001:db8::7:1",
        "Bearer\t0123456789abcdefghij",
    ],
)
def test_an_escape_before_a_value_hides_it_from_nobody(text: str) -> None:
    assert mask(text, SALT)[1]
    assert seen([text, msgspec.json.encode(text).decode()])


@EXAMPLES
@given(st.lists(st.none() | messy(), max_size=6))
def test_columns_agree_with_rows(texts: list[str | None]) -> None:
    canonical = [
        None if text is None else msgspec.json.encode([{"content": text}, 1.5, None], order="sorted").decode()
        for text in texts
    ]
    frame = pl.DataFrame(
        {"text": texts, "id": texts, "json": canonical, "other": texts},
        schema=dict.fromkeys(["text", "id", "json", "other"], pl.String),
    )
    masked, counts = mask_columns(frame, texts=["text"], json_texts=["json"], ids=["id"], salt=SALT)
    ways = {"text": mask, "json": mask_json, "id": mask_id}
    for name, way in ways.items():
        assert masked[name].to_list() == [None if text is None else way(text, SALT)[0] for text in frame[name]]
    expected = sum(
        (way(text, SALT)[1] for name, way in ways.items() for text in frame[name] if text is not None), Counter()
    )
    assert counts == expected
    assert masked["other"].equals(frame["other"])


@pytest.mark.parametrize("kind", [kind for kind, (_, _, sentences) in KINDS.items() if not sentences])
def test_one_value_has_one_placeholder_in_all_surroundings(kind: str) -> None:
    draw = Draw(3)
    for _ in range(20):
        value = KINDS[kind][1](draw)
        alone, _ = mask(value, SALT)
        assert PLACEHOLDER.fullmatch(alone)
        for sentence in SENTENCES:
            assert mask(sentence.replace("{}", value), SALT)[0] == sentence.replace("{}", alone)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+1 (415) 555-0132", "415.555.0132"),
        ("4111 1111 1111 1111", "4111111111111111"),
        ("GB82 WEST 1234 5698 7654 32", "GB82WEST12345698765432"),
        ("Bob@Example.com", "bob@example.com"),
        ("2001:DB8:0::7:1", "2001:db8::7:1"),
    ],
)
def test_spellings_of_a_value_share_a_placeholder(one: str, other: str) -> None:
    assert mask(one, SALT)[0] == mask(other, SALT)[0] != one
    assert mask(one, SALT)[0] != mask(one, "another salt")[0]


def test_json_keeps_its_form_and_is_masked_by_its_keys() -> None:
    phones = '"phone":"4155550132","text":"4155550132"'
    text = f'{{"card":4111111111111111,"password":"hunter",{phones},"z@b.co":[1,true,null,"x"]}}'
    masked, counts = mask_json(text, SALT)
    assert counts == Counter(CARD=1, EMAIL=1, PASSWORD=1, PHONE=1)
    decoded = json.loads(masked)
    assert [1, True, None, "x"] in decoded.values()
    assert decoded["text"] == "4155550132"
    assert masked == msgspec.json.encode(decoded).decode()
    assert mask_json(masked, SALT) == (masked, Counter())


def test_an_id_is_kept_or_replaced_as_a_whole() -> None:
    assert mask_id("conversation-7", SALT) == ("conversation-7", Counter())
    masked, counts = mask_id("chat:bob@example.com:1", SALT)
    assert counts == Counter(EMAIL=1)
    assert masked.startswith("[EMAIL_")
    assert len(masked) == len("[EMAIL_]") + 16
    assert mask_id(masked, SALT) == (masked, Counter())
    assert mask_id("chat:bob@example.com:2", SALT)[0] != masked


def test_a_user_is_a_hash_that_needs_the_salt() -> None:
    assert len(user_hash("bob", SALT)) == 16
    assert int(user_hash("bob", SALT), 16) >= 0
    assert len({user_hash(user, salt) for user in ("bob", "eve") for salt in ("", SALT, "s" * 100)}) == 6


@pytest.mark.parametrize(
    "text",
    ["a", "1-", "1", "1.", "1 ", "(1", "@", "a@", "a.", "a@a.", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "eyJ",
     "eyJa.", "://", "://a:", "sk-", "password=", "password='a", "phone ", "call me ", "[", "+1", "ssn", "2001:",
     "664-74-1011+", "(885) 906-6283-", "a@b.co(415) 555-0132", "2a02:42ce::b47.", "NL91YRJX5221367143.",
     "AB12 ", "\\", "\\n", "=", "token: a", "a@b.co+14155550100", "-1", "4155550100 ",
     "sk-1", "SG.", "AKIA"],
)  # fmt: skip
def test_no_text_takes_for_ever(text: str) -> None:
    """It ends, that is the test: a megabyte on which backtracking would not."""
    long = text * (1_000_000 // len(text))
    assert mask(long, SALT)[0]


def test_duckdb_sees_the_same_candidates() -> None:
    texts = [text for *_, text in planted(seed=4, each=20)] + list(clean_texts(seed=5, texts=50))
    frame = pl.DataFrame({"text": texts}).with_row_index()
    query = "SELECT regexp_matches(text, $1) FROM frame ORDER BY index"
    theirs = [row[0] for row in duckdb.connect().execute(query, [CANDIDATE]).fetchall()]
    assert theirs == frame["text"].str.contains(CANDIDATE).to_list()
    assert any(theirs)
    assert not all(theirs)
