r"""What is looked for: each kind of secret and personal item, written twice.

`pattern` is exact and may look around; `hint` says the same more loosely, in the syntax that Rust's regex and RE2
share, and holds inside canonical JSON too, where a newline is `\n`, a tab `\t`, a quote `\"` and a backslash doubled. A
hint must match wherever its pattern does. Checksums and words before a number belong in `checks`.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flywheel.ingest.mask import checks


class Kind(NamedTuple):
    """One thing to look for; the last named group of the pattern is what is masked."""

    name: str
    sign: Callable[[str], object]
    """Whether the text, in lower case, shows any sign of it: far quicker than the pattern."""
    pattern: re.Pattern[str]
    value: Callable[[re.Match[str]], str | None]
    hint: str


# Where a value may begin: after no letter or digit, or after an escape, since tool output is often JSON in a text.
BEGIN = r"(?:(?<![A-Za-z0-9_\\])|(?<=\\[nrt]))"
# The same behind the first character, so that `re` can leap to that character; and in a number, after no `0.` or `4a-`.
# END refuses what BEGAN refuses: else each value masked would free its neighbour, and a text of them take for ever.
BEGAN = r"(?:(?<![A-Za-z0-9_\\].)|(?<=\\[nrt].))(?<![A-Za-z0-9]-.)(?<![0-9]\.[0-9])"
END = r"(?![A-Za-z0-9_])(?!-[A-Za-z0-9])(?!(?<=[0-9])\.[0-9])"
HINT_BEGIN = r"(?:^|[^0-9A-Za-z_]|\\[bfnrt]|\\u[0-9a-f]{4})"
HINT_NUMBER = (
    r"(?:(?:^|[^0-9A-Za-z]|\\[bfnrt]|\\u[0-9a-f]{4})-|(?:^|[^0-9]|\\u[0-9a-f]{4})\.|^|[^0-9A-Za-z_.-]|\\[bfnrt]"
    r"|\\u[0-9a-f]{4})"
)
HINT_END = r"(?:[^0-9A-Za-z_]|$)"

PREFIXED = "|".join(
    (
        r"sk-[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic, OpenRouter
        r"gh[pousr]_[A-Za-z0-9]{30,}",
        r"github_pat_[A-Za-z0-9_]{22,}",
        r"gl(?:pat|dt|rt)-[A-Za-z0-9_-]{20,}",
        r"xox[abeoprs]-[A-Za-z0-9-]{16,}",
        r"xapp-[A-Za-z0-9-]{16,}",
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
        r"whsec_[A-Za-z0-9+/=]{24,}",
        r"GOCSPX-[A-Za-z0-9_-]{20,}",
        r"ya29\.[A-Za-z0-9_-]{20,}",
        r"hf_[A-Za-z0-9]{30,}",
        r"npm_[A-Za-z0-9]{36}",
        r"pypi-AgE[A-Za-z0-9_-]{50,}",
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        r"(?:gsk|r8|dop_v1|shpat|dckr_pat|glsa)_[A-Za-z0-9]{20,}",
    )
)
CAPITAL = r"(?:(?<=A)[KS]IA[A-Z0-9]{16}|(?<=A)Iza[A-Za-z0-9_-]{35}|(?<=S)K[0-9a-f]{32})"
HINT_CAPITAL = r"(?:A[KS]IA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{35}|SK[0-9a-f]{32})"
# Where a prefix ends and at least 16 characters follow.
PREFIX_SIGN = re.compile(
    r"[_.-](?=[a-z0-9_.+/=-]{16})(?:(?<=[sr]k[-_]|hf_|r8_|sg\.)|(?<=gh[pousr]_|npm_|gsk_|dop_)|(?<=glpat-|whsec_|shpat_)"
    r"|(?<=ya29\.|pypi-|xapp-|xox[abeoprs]-|gldt-|glrt-|glsa_|dckr_)|(?<=github_|gocspx-))"
).search

PEM_BEGIN = "-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
PEM_END = "-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
LATIN = "A-Za-z0-9\u00c0-\u024f"
DOMAIN = rf"[{LATIN}-]{{1,63}}(?:\.[{LATIN}-]{{1,63}}){{0,8}}\.[A-Za-z]{{2,24}}"

ACCOUNTS = {
    15: "NO", 16: "BE", 18: "DK|FI|FO|GL|NL", 19: "MK|SI", 20: "AT|BA|EE|KZ|LT|LU|XK", 21: "CH|HR|LI|LV",
    22: "BG|BH|CR|DE|GB|GE|IE|ME|RS|VA", 23: "AE|GI|IL|IQ|OM|TL", 24: "AD|CZ|ES|MD|PK|RO|SA|SE|SK|TN|VG",
    25: "LY|PT|ST", 26: "IS|TR", 27: "FR|GR|IT|MC|MR|SM", 28: "AL|AZ|BY|CY|DO|GT|HU|LB|NI|PL|SV", 29: "BR|EG|PS|QA|UA",
    30: "JO|KW|MU|YE", 31: "MT|SC",
}  # fmt: skip
IBAN = "[A-Z]{}[A-Z][0-9]{{2}}(?:{})".format(
    BEGAN,
    "|".join(f"(?<=(?:{lands})..)(?: ?[A-Z0-9]){{{length - 4}}}" for length, lands in ACCOUNTS.items()),
)
IBAN_SIGN = re.compile("[0-9](?<=[a-z]{2}[0-9])[0-9] ?[a-z0-9]{4}").search
HINT_IBAN = f"(?:{'|'.join(ACCOUNTS.values())})[0-9]{{2}}(?: ?[A-Z0-9]){{11}}"

CARD = (
    rf"[2-6]{BEGAN}(?<!\+.)(?:[0-9]{{3}}(?P<gap>[ -])[0-9]{{4}}(?P=gap)[0-9]{{4}}(?P=gap)[0-9]{{3,4}}"
    r"|[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}|[0-9]{12,18})"
)
HINT_CARD = (
    r"(?:[2-6][0-9]{3}(?:[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{3}|[ -][0-9]{6}[ -][0-9]{4})"
    r"|(?:4[0-9]|5[1-5]|2[2-7]|3[04-9]|6[0245])[0-9]{11})"
)

GAP = r"(?:[ ./-]| ?\(|\) ?)?"
ABROAD = rf"(?:[2-9](?:{GAP}[0-9]){{7,12}}|1[ .-]?\(?[2-9][0-9]{{2}}\)?[ .-]?[0-9]{{3}}[ .-]?[0-9]{{4}})"
IN_BRACKETS = r"(?:(?<=\()|(?<=1)[ .-]?\()[2-9][0-9]{2}\)"
IN_THE_OPEN = r"(?:(?<=1)[ .-]?[2-9]|(?<=[2-9]))[0-9]{2}"
AMERICAN = (
    rf"[(1-9](?:(?<=\()|{BEGAN})(?:{IN_BRACKETS}[ -]?[0-9]{{3}}[-. ]"
    rf"|{IN_THE_OPEN}(?:(?P<gap>[-.])[0-9]{{3}}(?P=gap)| [0-9]{{3}}-))[0-9]{{4}}"
)
HINT_AMERICAN = (
    rf"(?:{HINT_NUMBER}(?:1[ .-]?)?|\()[2-9][0-9]{{2}}"
    r"(?:\)[ -]?[0-9]{3}[-. ]|[ -][0-9]{3}-|\.[0-9]{3}\.)[0-9]{4}"
)
ANY_GROUPS = (
    rf"[(0-9](?:(?<=\()|{BEGAN})(?:(?:{IN_BRACKETS}|{IN_THE_OPEN})[ .-]?[0-9]{{3}}[ .-]?[0-9]{{4}}(?![0-9])"
    rf"|(?:(?<=\()[0-9]{{1,5}}\) ?[0-9]|(?<=[0-9]))(?:{GAP}[0-9]){{3,13}})"
)
HINT_ANY_GROUPS = rf"\(?[0-9](?:{GAP}[0-9]){{6}}"
LONG_NUMBER = re.compile("[0-9][0-9 ./()-]{5,}[0-9]").search
IPV6_SIGN = re.compile(":(?<=[0-9a-f]{4}:)[0-9a-f]{0,4}:").search
HINT_FILLER = rf"(?:{checks.FILLER}|\\t)*"

BEARER = "[A-Za-z0-9._~+/=-]{16,}"
PASSWORD = r"(?:passw(?:or)?d|pwd|passphrase|passcode)[0-9]?"
SECRET = (
    r"(?:api[ _-]?key|(?:access|secret|private|encryption|signing|auth|account)[ _-]?(?:access[ _-]?)?key|secret|token"
    r"|credentials?)(?:[ _-]?id)?"
)
JOIN = r"\\{0,3}[\"']?\]?[ \t]{0,8}(?:=>|:=|=|:|>| is:?)[ \t]{0,8}"
HINT_JOIN = r"\\*[\"']?\]?(?: |\t|\\+t)*(?:=>|:=|=|:|>| is:?)(?: |\t|\\+t)*"
ASSIGNED = (
    r"(?:\\{0,3}[\"'`](?P<quoted>[^\s\x00-\x1f\"'`\\]{3,2000})(?=\\{0,3}[\"'`])"
    r"|(?P<bare>(?>[^\s\x00-\x1f\"'`\\,;&<>()\[\]{}|]{0,2000}[^\s\x00-\x1f\"'`\\,;&<>()\[\]{}|.:?]))(?![(\[{]))"
)
HINT_ASSIGNED = r"(?:\\*[\"'`][^ \n\"'`\\]{3,}[\\\"'`]|[^ \n\"'`\\,;&<>()\[\]{}|]*[0-9!@#$%^&*+~])"


def _kind(
    name: str, sign: Callable[[str], object], pattern: str, value: Callable[[re.Match[str]], str | None], hint: str
) -> Kind:
    return Kind(name, sign, re.compile(pattern, re.ASCII), value, hint)


def _any(*needles: str) -> Callable[[str], bool]:
    return lambda lowered: any(needle in lowered for needle in needles)


def _assigned(*words: str) -> Callable[[str], bool]:
    """One of the words, and behind it what joins it to a value: far rarer than the word alone."""
    joined = re.compile(rf"s?(?:[ _-]?id)?{JOIN}").match
    return lambda lowered: any(joined(lowered, end) for word in words for end in _ends(lowered, word))


def _ends(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at + len(word)
        at = text.find(word, at + 1)


# In order: what may hold another comes first, a value that shows by itself before one that only its name gives away.
KINDS = (
    _kind(
        "PRIVATE_KEY",
        _any("private key"),
        rf"(?P<value>{PEM_BEGIN}(?:[^-]*(?:-(?!----)[^-]*)*{PEM_END}|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{{16,}})*))",
        checks.pem,
        "-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
    ),
    _kind(
        "PASSWORD",
        _any("://"),
        r"://[^\s\x00-\x1f:/@\"'<>\\\[\]]{0,100}:(?P<value>[^\s\x00-\x1f/@\"'<>\\\[\]]{1,200})@",
        checks.whole,
        r"://[^ \n:/@\"'<>\\\[\]]*:[^ \n/@\"'<>\\\[\]]+@",
    ),
    _kind("SECRET", PREFIX_SIGN, rf"{BEGIN}(?P<value>{PREFIXED})(?![A-Za-z0-9])", checks.api_key, PREFIXED),
    _kind(
        "SECRET",
        _any("kia", "sia", "aiza", "sk"),
        rf"(?P<value>[AS](?:(?<![A-Za-z0-9_\\].)|(?<=\\[nrt].)){CAPITAL})(?![A-Za-z0-9])",
        checks.whole,
        HINT_CAPITAL,
    ),
    _kind("TOKEN", _any("eyj"), rf"{BEGIN}(?P<value>{JWT})", checks.whole, JWT),
    _kind(
        "EMAIL",
        _any("@"),
        rf"(?P<value>[{LATIN}_](?:(?<![{LATIN}_\\].)|(?<=\\[nrt].))[{LATIN}._%+-]{{0,63}}@{DOMAIN})(?![A-Za-z0-9_@])",
        checks.email,
        rf"[{LATIN}_.%+-]@[{LATIN}-]+(?:\.[{LATIN}-]+)*\.[A-Za-z]{{2}}",
    ),
    _kind("IBAN", IBAN_SIGN, rf"(?P<value>{IBAN}){END}", checks.iban, HINT_BEGIN + HINT_IBAN),
    _kind("CARD", LONG_NUMBER, rf"(?P<value>{CARD}){END}", checks.card, HINT_NUMBER + HINT_CARD),
    _kind(
        "SSN",
        LONG_NUMBER,
        rf"(?P<value>[0-8]{BEGAN}[0-9]{{2}}(?P<gap>[ -]?)[0-9]{{2}}(?P=gap)[0-9]{{4}}){END}",
        checks.ssn,
        rf"{HINT_NUMBER}[0-8][0-9]{{2}}-[0-9]{{2}}-[0-9]{{4}}{HINT_END}"
        rf"|(?i:{checks.SSN_WORDS}){HINT_FILLER}[0-8][0-9]{{2}} ?[0-9]{{2}} ?[0-9]{{4}}",
    ),
    _kind(
        "PHONE",
        LONG_NUMBER,
        rf"(?P<value>\+(?<![0-9][eE].){ABROAD}){END}",
        checks.phone,
        rf"\+{ABROAD}{HINT_END}",
    ),
    _kind("PHONE", LONG_NUMBER, rf"(?P<value>{AMERICAN}){END}", checks.phone, HINT_AMERICAN + HINT_END),
    _kind(
        "PHONE",
        LONG_NUMBER,
        rf"(?P<value>{ANY_GROUPS}){END}",
        checks.phone_after_a_word,
        rf"(?i:{checks.PHONE_WORDS.format('', '')}){HINT_FILLER}{HINT_ANY_GROUPS}",
    ),
    _kind(
        "IP",
        LONG_NUMBER,
        rf"(?P<value>[0-9]{BEGAN}[0-9]{{0,2}}(?:\.[0-9]{{1,3}}){{3}}){END}",
        checks.ipv4,
        rf"{HINT_NUMBER}(?:[1-9][0-9]?|1(?:[013-9][0-9]|2[0-689])|2[0-5][0-9])(?:\.[0-9]{{1,3}}){{3}}{HINT_END}",
    ),
    _kind(
        "IP",
        IPV6_SIGN,
        rf"(?P<value>[23fF]{BEGAN}[0-9a-fA-F]{{3}}:[0-9a-fA-F:]{{2,35}}(?<!.:)){END}(?!:)",
        checks.ipv6,
        rf"{HINT_BEGIN}[23fF][0-9a-fA-F]{{3}}:[0-9a-fA-F]{{0,4}}:[0-9a-fA-F:]",
    ),
    _kind(
        "SECRET",
        _any("authorization", "bearer"),
        rf"(?i:authorization[\"']?[ \t]?[:=][ \t]?[\"']?(?:basic|token)|bearer)[ \t]{{1,3}}(?P<value>{BEARER})",
        checks.mixed,
        rf"(?i:basic|token|bearer)(?: |\t|\\+t)+{BEARER}",
    ),
    _kind(
        "PASSWORD",
        _any("passw", "pwd", "passphrase", "passcode"),
        rf"(?i:{PASSWORD}){JOIN}{ASSIGNED}",
        checks.password,
        rf"(?i:{PASSWORD}){HINT_JOIN}{HINT_ASSIGNED}",
    ),
    _kind(
        "SECRET",
        _assigned("key", "secret", "token", "credential"),
        rf"(?i:{SECRET}){JOIN}{ASSIGNED}",
        checks.secret,
        rf"(?i:{SECRET}){HINT_JOIN}\\*[\"'`]?[^ \n\"'`\\]*[0-9]",
    ),
)
