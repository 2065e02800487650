"""Cheap cues in a follow-up, and the reading by rules, which needs nothing else.

Some cues know no language: how alike two requests are by their words, whether they share their numbers, lines of the
answer pasted back or quoted, a question that the answer asked, hurry. The others are English words (`english`): what
people write in other languages is read as a rephrase or a repeat, and little more. Negative cues find about a half of
the dissatisfied.
"""

import polars as pl

from flywheel import settings
from flywheel.signals import english

# How sure a reading is before anyone audited it. In open chats wide lists of negative cues are right in 28 to 40 %;
# ours name the answer. Guesses, until an audit.
CONFIDENCE = {
    "correction": 0.75, "complaint": 0.7, "thanks": 0.7, "clarification": 0.5, "rephrase": 0.6, "nothing": 0.6
}  # fmt: skip
HURRY_SAYS, QUOTES_SAY, WEAKNESS_SAYS = 0.05, 0.1, -0.15

# A word: a run of letters and digits, or one sign of a script that writes without spaces.
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}"
WORD = rf"[{UNSPACED}]|[\p{{L}}\p{{N}}--[{UNSPACED}]]+"
NUMBER = r"\p{N}"
LIKENESS_READS = 1000
"""Characters of a request that are compared: what is pasted below them is matter, not wording."""
CUES_READ = 240
"""Characters at either end of a follow-up, where people say what they think."""
LIKE_WITHOUT_NUMBERS = 0.5
"""Two requests without a number in common must be at least this alike to be one in other words."""
LINE = 20
"""A shorter line in both texts may be there by chance."""
QUOTE = r"[\"“”„«`]([^\"“”„«»`\n]{3,120})[\"”“»`]"
ASKS = r"[?？؟](?:\s|$)"  # noqa: RUF001

LIKE, SAID = pl.col("likeness"), pl.col("said")


SPOKEN = (english.BLAME, english.NO, english.TROUBLE, english.WISH, english.REWORDS, english.THANKS, english.CLARIFY)


def measured(seen: pl.DataFrame, rules: settings.Signals) -> pl.DataFrame:
    """The follow-ups with what is told of each at once: how alike the requests are, whether a cue stands in it."""
    common = pl.col("words").list.set_intersection("said_words").list.len()
    either = pl.col("words").list.len() + pl.col("said_words").list.len() - common
    same = (pl.col("request") == SAID).cast(pl.Float64)
    return (
        seen.with_columns(words=_words("request"), said_words=_words("said"), said_ends=_ends("said"))
        .with_columns(
            likeness=pl.when(either > 0).then(common / either).otherwise(same),
            hurried=pl.col("gap") < rules.hurry_seconds,
            cued=pl.any_horizontal(_has(pattern) for pattern in SPOKEN),
        )
        .drop("words", "said_words", "said_ends")
    )


def by_rules(candidates: pl.DataFrame, rules: settings.Signals) -> pl.DataFrame:
    """What each candidate says, without a model. Blame goes before praise: "great, another wrong answer"."""
    alike = LIKE.ge(rules.rephrase_similarity)
    told = candidates.with_columns(said_ends=_ends("said"), request_ends=_ends("request"))
    cued = told.select(
        "likeness",
        "hurried",
        same_numbers=_same_numbers(candidates),
        alike=alike,
        blames=(_has(english.BLAME) | (_has(english.NO) & ~_asks_back())) & ~_has(english.POLITE),
        trouble=_has(english.TROUBLE) & ~_asks_back() & ~_known_trouble(alike),
        fix=pl.col("said_ends").str.replace(english.OUTPUT, "").str.contains(english.FIX),
        wish=_has(english.WISH) & ~_has(english.REWORDS) & ~_asks_back() & ~alike,
        tells=_tells() & ~_pasted(),
        pasted=_pasted(),
        quoted=_quotes(),
        rewords=_has(english.REWORDS),
        thanks=_has(english.THANKS),
        asks=_has(english.ASKED),
        clarify=_has(english.CLARIFY),
    )
    return cued.with_columns(reading=_reading()).select("reading", confidence=_confidence())


def _reading() -> pl.Expr:
    blames, asks = pl.col("blames"), pl.col("asks")
    negative = blames | (pl.col("trouble") & (~asks | pl.col("pasted")))
    corrects = (negative & pl.col("fix") & ~asks) | (blames & pl.col("tells")) | (pl.col("wish") & ~asks)
    near = pl.when(pl.col("same_numbers").is_null()).then(LIKE >= LIKE_WITHOUT_NUMBERS).otherwise("same_numbers")
    return (
        pl.when(corrects)
        .then(pl.lit("correction"))
        .when(negative)
        .then(pl.lit("complaint"))
        .when("thanks")
        .then(pl.lit("thanks"))
        .when(asks & (pl.col("clarify") | pl.col("quoted")))
        .then(pl.lit("clarification"))
        .when((near & pl.col("alike")) | pl.col("rewords"))
        .then(pl.lit("rephrase"))
        .otherwise(pl.lit("nothing"))
    )


def _confidence() -> pl.Expr:
    negative = pl.col("reading").is_in(["correction", "complaint"])
    sure = pl.col("reading").replace_strict(CONFIDENCE, return_dtype=pl.Float64)
    more = {
        HURRY_SAYS: pl.col("hurried") & (pl.col("reading") != "nothing"),
        QUOTES_SAY: pl.col("quoted") & negative,
        WEAKNESS_SAYS: ~pl.col("blames") & negative,
    }
    return pl.sum_horizontal(sure, *(says * fact.cast(pl.Float64) for says, fact in more.items())).round(4)


def _words(name: str) -> pl.Expr:
    """The distinct words of a text, each as a number that stands for it: numbers are compared faster than words."""
    return _spelled(name).list.eval(pl.element().hash()).list.unique()


def _spelled(name: str) -> pl.Expr:
    return pl.col(name).str.slice(0, LIKENESS_READS).str.to_lowercase().str.extract_all(WORD)


def _same_numbers(seen: pl.DataFrame) -> pl.Series:
    """Whether the two requests speak of the same numbers; null where one has none, which is seen at once in most."""
    names = ("request", "said")
    some = seen.select(pl.all_horizontal(pl.col(name).str.contains(NUMBER) for name in names)).to_series()
    one, other = (_spelled(name).list.filter(pl.element().str.contains(NUMBER)) for name in names)
    both = (one.list.len() > 0) & (other.list.len() > 0)
    same = pl.when(both).then(one.list.set_intersection(other).list.len() > 0)
    found = seen.filter(some).select(same=same).to_series()
    return pl.repeat(None, len(seen), dtype=pl.Boolean, eager=True).scatter(some.arg_true(), found)


def _ends(name: str) -> pl.Expr:
    """Both ends of the text, in lower case and without apostrophes."""
    text = pl.col(name)
    both = pl.concat_str(text.str.head(CUES_READ), pl.lit(" … "), text.str.tail(CUES_READ))
    ends = pl.when(text.str.len_bytes() <= 2 * CUES_READ).then(text).otherwise(both)
    return ends.str.to_lowercase().str.replace_many(["'", "\u2019"], ["", ""])


def _has(pattern: str, name: str = "said") -> pl.Expr:
    return pl.col(f"{name}_ends").str.contains(pattern)


def _known_trouble(alike: pl.Expr) -> pl.Expr:
    """The trouble is what the first request was about already, and is told again."""
    return _has(english.TROUBLE, "request") | (_has(english.MATTER, "request") & alike)


def _tells() -> pl.Expr:
    """A number or a name stands in the follow-up that the answer did not have: it says how things are."""
    told = SAID.str.replace_all(f"(?i){english.OUTPUT}", "")
    named = told.str.extract_all(r"[\p{Ll},]\s+\p{Lu}\p{L}+").list.eval(pl.element().str.extract(r"(\p{Lu}\p{L}+)$"))
    facts = pl.concat_list(told.str.extract_all(r"\p{L}*\p{N}[\p{L}\p{N}]*"), named)
    return facts.list.set_difference(pl.col("response").str.extract_all(r"[\p{L}\p{N}]+")).list.len() > 0


def _asks_back() -> pl.Expr:
    """The answer ended in a question: what follows may be the reply to it, and "no" no blame."""
    return pl.col("response").str.tail(CUES_READ).str.contains(ASKS)


def _quotes() -> pl.Expr:
    """The follow-up quotes a part of the answer."""
    return pl.col("response").str.contains(SAID.str.extract(QUOTE, 1), literal=True).fill_null(False)


def _pasted() -> pl.Expr:
    """Whole lines of the answer stand in the follow-up: it speaks of them."""
    said, answered = (_lines(name) for name in ("said", "response"))
    return said.list.set_intersection(answered).list.len() > 0


def _lines(name: str) -> pl.Expr:
    stripped = pl.element().str.strip_chars()
    return pl.col(name).str.split("\n").list.eval(stripped.filter(stripped.str.len_chars() >= LINE))
