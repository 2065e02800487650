"""Knowledge gaps as a list a team can act on: what is missing from the product's retrieval, for whom, how often.

Gaps are alike where the same kind of fact was missing in one slice, and what people said with it shares a word: the
one that most of those gaps share, else one of their requests. It is a way to sort the list, not a claim about causes.
The doubtful are counted apart, since a person has yet to say whether they are gaps at all. Which records are gaps is
decided in `gaps.sql`.
"""

import re
from collections import Counter

import polars as pl

ADDRESS = r"^\[[A-Z]+|@|^https?:|^www\."
AMOUNT = r"[$€£%]"
NUMBER = r"^[^\p{L}\d]?\d[\d.,:/-]*$"
CODE = r"\d|_|\p{Ll}\p{Lu}"
WORD = re.compile(r"[^\W\d_]{4,}")
# Words that say nothing of what is missing.
ANY = frozenset(
    """about actually after again also another answer been before could does forgot from give have here hello help into
    instead just left like make many missing more much must need only other please right said should some still tell
    than thank thanks that their them then there these they this those want were what when where which will with would
    write wrong your""".split()  # noqa: SIM905
)
EXAMPLES = 3
GROUP = ["workload", "slice", "missing", "about"]


def grouped(knowledge_gaps: pl.DataFrame) -> pl.DataFrame:
    """A row for each group, the one that most people met first: gaps, users, doubtful ones, and examples."""
    about = _subjects(knowledge_gaps.with_columns(kind=_kind("missing")))
    told = knowledge_gaps.sort("id").select(
        "workload", "slice", "user", "request", "said", "doubtful",
        fact="missing",
        missing=_kind("missing"),
        about=pl.col("id").replace_strict(about, default="", return_dtype=pl.String),
    )  # fmt: skip
    groups = told.group_by(GROUP).agg(
        gaps=pl.len(),
        users=pl.col("user").n_unique(),
        doubtful=pl.col("doubtful").sum(),
        facts=pl.col("fact").explode().unique(maintain_order=True).head(EXAMPLES),
        said=pl.col("said").unique(maintain_order=True).head(EXAMPLES),
        requests=pl.col("request").unique(maintain_order=True).head(EXAMPLES),
    )
    return groups.sort("users", "gaps", *GROUP, descending=[True, True, False, False, False, False])


def _kind(column: str) -> pl.Expr:
    """What the first of the facts looks like: an address, an amount, a number, a code, else a name."""
    first = pl.col(column).list.first().fill_null("")
    looks = {"address": ADDRESS, "amount": AMOUNT, "number": NUMBER, "code": CODE}
    kind = pl.lit("name")
    for name, pattern in reversed(looks.items()):
        kind = pl.when(first.str.contains(pattern)).then(pl.lit(name)).otherwise(kind)
    return kind


def _subjects(gaps: pl.DataFrame) -> dict[str, str]:
    """Of each gap the word that most gaps of its kind and slice share: a newly said one, else one of the request."""
    subjects: dict[str, str] = {}
    for _, alike in gaps.group_by("workload", "slice", "kind"):
        spoken: dict[str, set[str]] = {}
        for row, request, response, said, facts in alike.select(
            "id", "request", "response", "said", "missing"
        ).iter_rows():
            known = _words(f"{request} {response} {' '.join(facts)}")
            spoken[row] = (_words(said) - known) or _words(request)
        common = Counter(word for words in spoken.values() for word in words)
        for row, words in spoken.items():
            subjects[row] = min(words, key=lambda word: (-common[word], word), default="")
    return subjects


def _words(text: str) -> set[str]:
    return set(WORD.findall(text.lower())) - ANY
