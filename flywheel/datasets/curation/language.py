"""Answers in a language that is not this workload's: one that hardly any of its answers is in.

A cheap look: the script, and for Latin letters the commonest words of seven languages. What it cannot tell (code,
names, a few words, another language in Latin letters) stays.
"""

import polars as pl

from flywheel.datasets.curation.ruled import Ruled, because, by_reason
from flywheel.settings import Workload

LOOKED_AT = 400
"""Characters of an answer."""
SCRIPTS = {
    "Chinese or Japanese": r"[\p{Han}\p{Hiragana}\p{Katakana}]",
    "Korean": r"\p{Hangul}",
    "Cyrillic": r"\p{Cyrillic}",
    "Arabic": r"\p{Arabic}",
    "Hebrew": r"\p{Hebrew}",
    "Greek": r"\p{Greek}",
    "Devanagari": r"\p{Devanagari}",
    "Thai": r"\p{Thai}",
}
# Words that are common in one of these languages and rare in the others.
WORDS = {
    "English": "the and you your is are this that with for have will not we our was it please thank",
    "German": "der die das und ist nicht sie wir ihr ihre mit für auf ein eine den dem wird haben bitte",
    "French": "le les des est et vous nous votre une pour dans pas sur avec que qui ce cette merci",
    "Spanish": "el los las es y usted su una para con por que está no del muy gracias pero como",
    "Italian": "il gli è e di una per con che non sono della del grazie questo nel ha come più",
    "Portuguese": "o os as é e você uma para com não que do da em por obrigado está seu sua mais",
    "Dutch": "het een en van is niet u uw wij zijn voor met op dat deze wordt naar bij ook dank",
}
SURE, LEAD = 3, 1.5
"""So many of a language's words, and so much more often than the next language's."""


def language(records: pl.DataFrame, rules: Workload) -> Ruled:
    least = rules.curation.language_share
    told = records.with_columns(language=spoken(records["chosen"]))
    known = told["language"].drop_nulls()
    counts = known.value_counts(sort=True)
    rare = counts.filter(pl.col("count") < least * len(known))["language"]
    reason = because(
        pl.col("language").is_in(rare.implode()), pl.col("language"), f", which less than {least:.0%} are in"
    )
    detail = ", ".join(f"{name} {count}" for name, count in counts.sort("count", "language").reverse().iter_rows())
    ruled = by_reason(told, reason, detail=f"{detail}, cannot tell {len(told) - len(known)}".lstrip(", "))
    return ruled._replace(kept=ruled.kept.drop("language"))


def spoken(texts: pl.Series) -> pl.Series:
    """The language of each text; null where it cannot be told."""
    heads = texts.alias("text").str.head(LOOKED_AT).str.to_lowercase().to_frame().with_row_index("place")
    foreign = heads["text"].str.contains("|".join(SCRIPTS.values())).fill_null(False)
    words = {name: rf"\b(?:{said.replace(' ', '|')})\b" for name, said in WORDS.items()}
    found = pl.concat([_leading(heads.filter(foreign), SCRIPTS, 1), _leading(heads.filter(~foreign), words, SURE)])
    return heads.join(found, on="place", how="left", maintain_order="left")["language"]


def _leading(heads: pl.DataFrame, patterns: dict[str, str], sure: int) -> pl.DataFrame:
    """The name whose pattern is found most, if often enough and well ahead of the next."""
    counts = pl.concat_list(pl.col("text").str.count_matches(pattern) for pattern in patterns.values())
    ranked = pl.col("counts").list.sort(descending=True)
    first, second = ranked.list.get(0), ranked.list.get(1)
    name = pl.col("counts").list.arg_max().replace_strict(dict(enumerate(patterns)), return_dtype=pl.String)
    told = pl.when((first >= sure) & (first >= LEAD * second)).then(name)
    return heads.with_columns(counts=counts).select("place", language=told)
