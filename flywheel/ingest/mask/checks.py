"""What a pattern cannot say: checksums, real prefixes and lengths, and the words before a number that tell what it is.

Each check takes a match and gives the value in one spelling, so that all its spellings share a placeholder, or None to
leave the text alone. What to look for belongs in `kinds`.
"""

import re
from ipaddress import AddressValueError, IPv6Address

Match = re.Match[str]

LOOKBACK = 40
# A word, what may join it to its value (punctuation, a quoted JSON key), and then the value itself.
JOINED = r"(?:[ _-]?(?:numbers?|num|no|id|code))?(?: is)?[\s.:=#\"'\\]*\Z"
BUSINESS = re.compile(
    r"(?i)(?<![a-z])(?:order|invoice|tracking|shipment|parcel|fedex|ups|dhl|usps|sku|ref|reference|serial|isbn|booking"
    r"|reservation|transaction|(?:case|part|item|account|product|ticket|issue)[ _-]?(?:number|num|no|id|code|#))"
    + JOINED,
    re.ASCII,
)
CARD = re.compile(r"(?i)(?:card|visa|mastercard|amex|american express|credit|debit|cc)" + JOINED, re.ASCII)
# Words that say phone; {0} is where one may begin. After a verb alone, the only group here, the number must be long.
PHONE_WORDS = (
    r"(?:{1}phone|mobile|whatsapp|telefono?|手机|电话|電話|携帯|{0}(?:tel|cell|fax|sms)"
    r"|(?:my|his|her|their|contact) (?:number|num|no)"
    r"|{0}(?:call|ring|text|dial|reach|contact|message) (?:me|us|him|her|them|back|at|on|my)"
    r"|{0}(call|dial|reach))(?:[ _-]?(?:number|num|no))?"
)
SSN_WORDS = r"(?:ssn|social[ _-]security)(?:[ _-](?:number|num|no))?"
FILLER = "[ \\t.:\N{FULLWIDTH COLON}=#\"'\\\\-]|'s|is|at|on|or|me|us|back|number|my"  # between the word and the value
EDGE = r"(?:(?<![a-z])|(?<=\\[nrt]))"
PHONE = re.compile(rf"(?i){PHONE_WORDS.format(EDGE, '(?<!i)')}(?:{FILLER}){{0,16}}\Z", re.ASCII)
SSN = re.compile(rf"(?i){SSN_WORDS}(?:{FILLER}){{0,16}}\Z", re.ASCII)
VERSION = re.compile(
    r"(?i)(?:\bv|version|ver|release[ds]?|build|section|chapter|firmware|rev|[a-z]/|[=<>~^!]=)[\s.:=\"'\\]*\Z", re.ASCII
)
COUNTRY_CODES = re.compile(
    r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]"
    r"|6[789][0-9]|8[057][0-9]|88[0-9]|9[679][0-9]"
)
DATE = re.compile(
    r"(?:19|20)[0-9]{2}[-./ ]?(?:0[1-9]|1[0-2])[-./ ]?[0-3][0-9]|[0-3]?[0-9][-./ ][0-3]?[0-9][-./ ](?:19|20)[0-9]{2}"
)
ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}|62[0-9]{14,17}"
)
NO_DOMAIN = re.compile(r"(?i)(?:png|jpe?g|gif|svg|webp|jsx?|tsx?|json|s?css|html?|pdf|zip|dot|reshape)$")
ODD = re.compile(r"[0-9!@#$%^&*+~]")
DIGIT, LETTER = re.compile("[0-9]"), re.compile("[A-Za-z]")
# Values that are code, a template or a stand-in, not the thing itself.
STAND_IN = re.compile(r"(?i)[x*.•_#-]+$|[$%{<(\[=]|.*(?:your|changeme|placeholder|redacted)")
PATH = re.compile(
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$|(?i:password|passwd|pwd|pw|token|secret|key|api)[A-Za-z_]*[0-9]?$", re.ASCII
)


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text)


def _after(words: re.Pattern[str], match: Match) -> Match | None:
    start = match.start("value")
    return words.search(match.string[max(0, start - LOOKBACK) : start])


def luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def whole(match: Match) -> str:
    return match["value"]


def api_key(match: Match) -> str | None:
    """`risk-adjusted-performance-metric` has the prefix `sk-` too, but no digit."""
    key = match["value"]
    return key if DIGIT.search(key) or not key.startswith("sk-") else None


def mixed(match: Match) -> str | None:
    value = match["value"]
    return value if DIGIT.search(value) and LETTER.search(value) else None


def pem(match: Match) -> str:
    return re.sub(r"\s|\\[nr]", "", match["value"])


def email(match: Match) -> str | None:
    address = match["value"].lower()
    return None if address.startswith("git@") or NO_DOMAIN.search(address) else address


def card(match: Match) -> str | None:
    digits, grouped = _digits(match["value"]), not match["value"].isdigit()
    known = ISSUERS.fullmatch(digits) is not None
    if (known or grouped) and _after(CARD, match):
        return digits
    return digits if known and luhn(digits) and (grouped or not _after(BUSINESS, match)) else None


def iban(match: Match) -> str | None:
    account = match["value"].replace(" ", "")
    return account if int("".join(str(int(char, 36)) for char in account[4:] + account[:4])) % 97 == 1 else None


def ssn(match: Match) -> str | None:
    digits, dashed = _digits(match["value"]), "-" in match["value"]
    wrong = digits[:3] in ("000", "666") or digits[3:5] == "00" or digits[5:] == "0000"
    told = not _after(BUSINESS, match) if dashed else _after(SSN, match)
    return digits if told and not wrong else None


def phone(match: Match) -> str | None:
    """A number in a form that only phones have: the sign of a country code, or the American grouping."""
    written = match["value"]
    digits = _digits(written)
    if written.startswith("+"):
        if re.fullmatch(r"\+[0-9]+\.[0-9]+", written) or not COUNTRY_CODES.match(digits):
            return None
    elif _after(BUSINESS, match):
        return None
    return digits[1:] if len(digits) == 11 and digits[0] == "1" else digits


def phone_after_a_word(match: Match) -> str | None:
    """Any grouping, since a word before it says phone; but no date and no decimal."""
    written, length = match["value"], len(_digits(match["value"]))
    if length < 7 or DATE.match(written) or re.fullmatch(r"[0-9]+\.[0-9]+", written):
        return None
    told = _after(PHONE, match)
    return phone(match) if told and length >= (10 if told[1] else 7) else None


def ipv4(match: Match) -> str | None:
    parts = match["value"].split(".")
    real = all(int(part) < 256 and str(int(part)) == part for part in parts) and parts[0] not in ("0", "127", "255")
    return match["value"] if real and not _after(VERSION, match) else None


def ipv6(match: Match) -> str | None:
    try:
        return str(IPv6Address(match["value"])) if len(re.findall("[0-9a-fA-F]+", match["value"])) > 2 else None
    except AddressValueError:
        return None


def password(match: Match) -> str | None:
    """What is assigned to a password: anything in quotes, else what no word or name of code looks like."""
    value = match["quoted"] or match["bare"]
    if STAND_IN.match(value):
        return None
    if match["quoted"]:
        return value
    return value if len(value) > 3 and ODD.search(value.rstrip("!")) and not PATH.match(value) else None


def secret(match: Match) -> str | None:
    """What is assigned to a key or token: long enough, of letters and digits, no name of code."""
    value = match["quoted"] or match["bare"]
    fits = len(value) >= 8 and DIGIT.search(value) and LETTER.search(value) and not STAND_IN.match(value)
    return value if fits and (match["quoted"] or not PATH.match(value)) else None
