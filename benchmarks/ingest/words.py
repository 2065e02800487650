"""What is said in the generated log: sentences, and the personal data and keys that people paste into them.

Everything here is already escaped for the inside of a JSON string, so that a text is a mere join of its sentences.
"""

import json
from itertools import accumulate
from random import Random

COMMON = """
the of and to in a is that for it was on are as with his they at be this from have or by one had not but what all
were when we there can an your which their if will each about how up out them then she many some so these would
other into has more her two like him see time could no make than first been its who now people my made over did
down only way find use may water long little very after words called just where most know get through back much
before go good new write our used me man too any day same right look think also around another came come work three
word must because does part even place well such here take why things help put years different away again off went
old number great tell men say small every found still between name should home big give air line set own under read
last never us left end along while might next sound below saw something thought both few those always looked show
large often together asked house world going want school important until form food keep children feet land side
without boy once animals life enough
"""
WORK = """
invoice order delivery refund customer account payment address shipment warehouse ticket contract renewal discount
password report meeting deadline budget schedule attachment summary estimate supplier tracking receipt balance
policy subscription upgrade feature release server database query column index table migration deployment branch
request response timeout retry latency error exception function parameter module schema cluster container pipeline
token session cache threshold regression metric dashboard review approval stakeholder onboarding proposal agenda
"""
# What masking must not take for a phone or a card, what JSON must escape, and what is not ASCII.
RARE = [
    "order #{n} left the depot on 2026-01-{d} at 14:{m}",
    "the total is ${d}.{m}, VAT included",
    "ticket {n}-{m} is still open",
    "tracking 1Z{n}{n}84 says it arrives on {d}/01/2026",
    "version 3.{d}.{m} fixed it",
    "{d} of {n} rows did not match",
    "it costs 1,{n} € a year",
    'she wrote "call me when it\'s done" and left',
    "the café in Zürich opens at {m}, they say",
    "naïve approach — “quoted”, then dropped",
    "よろしくお願いします、{n}番です",
    "great, thanks 🙏🏽 see you on {d}.01.",
    r"C:\reports\2026\{n}.csv is empty",
    "über {n} Einträge fehlen",
    '```python\ndef total(rows: list[dict]) -> float:\n    return sum(row["price"] * {m} for row in rows)\n```',
    "SELECT name, count(*) FROM orders_{n} WHERE day > '2026-01-{d}' GROUP BY 1;",
    '<div class="row">\t{n}</div>',
    '{"status": "ok", "items": [{n}, {m}]}',
]


ENDS = [". "] * 12 + ["? "] * 3 + [", "] * 4 + [".\n\n", "\n- "]
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
PEOPLE = ["anna", "ben", "carla", "dmitri", "eve", "farid", "grace", "hugo"]

# Whatever of `personal` can still be read, as a regular expression.
TRACE = r"@mail\.example\.com|\+1 \(415\) 555-01\d\d|\+44 20 7946 0\d\d\d|ghp_\w{36}|sk-proj-\w{48}"


def sentences(random: Random, count: int) -> list[str]:
    """So many sentences, one in eight of them with figures, code or signs that need care."""
    common, work = COMMON.split(), WORK.split()
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(common))))  # as words are spread in any language
    made = []
    for _ in range(count):
        if random.random() < 0.12:
            text = _figured(random, random.choice(RARE))
        else:
            said = random.choices(common, weights, k=random.randint(3, 9)) + random.choices(
                work, k=random.randint(1, 3)
            )
            random.shuffle(said)
            text = " ".join(said).capitalize()
        made.append(escaped(text + random.choice(ENDS)))
    return made


def personal(random: Random) -> str:
    """A sentence with an address, a number or a key in it; none of them is anybody's."""
    kind = random.randrange(6)
    if kind < 2:
        address = f"{random.choice(PEOPLE)}.{random.randrange(10**5)}@mail.example.com"
        return escaped(f"You can write to {address} about it. ")
    if kind < 4:
        phones = [f"+1 (415) 555-01{random.randrange(100):02}", f"+44 20 7946 0{random.randrange(1000):03}"]
        return escaped(f"Call me on my phone: {random.choice(phones)}, after nine. ")
    if kind == 4:
        return escaped(f"My key is ghp_{''.join(random.choices(LETTERS, k=36))}, does it work? ")
    return escaped(f"export OPENAI_API_KEY=sk-proj-{''.join(random.choices(LETTERS, k=48))}\n")


def escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _figured(random: Random, text: str) -> str:
    figures = {"{n}": str(random.randint(10**4, 10**7)), "{d}": str(random.randint(10, 28))}
    for name, value in (figures | {"{m}": str(random.randint(10, 59))}).items():
        text = text.replace(name, value)
    return text
