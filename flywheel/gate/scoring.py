"""A cycle's scores in the lake's terms: which are still missing, what they cost, and keeping them.

The table `scores` is a cache by content: a score is kept under the hash of everything that decides it, so another
answer, check, price, judge or source is another score, and nothing stale is ever read. Holes are written down, for
people to see, and asked again the next time. What a score means belongs in `flywheel.gate.scorers`.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flywheel import process
from flywheel.checkpoint import endpoint, fingerprint, is_endpoint, locate
from flywheel.endpoint import Asking, Refused
from flywheel.errors import BadInput
from flywheel.gate.calibration import Calibration, calibrate, labels, too_weak
from flywheel.gate.scorers import checks, cost, judge, latency, local, preference, python, refusal, reward, sent
from flywheel.gate.scorers.rows import ANSWERS, SCHEMA, Hole, answered, rows
from flywheel.gate.sendings import Desk, afford, record
from flywheel.process import Run
from flywheel.settings import REPOSITORY, Scorer

SENT = Scorer(name="sent", kind="sent")
VERSION = 1
"""Raise it when a scorer reads the same texts otherwise."""
CHUNK = 32
"""Items a judge is asked of before what it said is kept."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A model by its fingerprint, where it lies, and what it answered: `item, text, tokens_in, tokens_out, seconds`."""

    model: str
    folder: Path
    answers: pl.DataFrame


def scores(
    desk: Desk,
    scorer: Scorer,
    items: pl.DataFrame,
    of: Contender,
    against: Contender | None = None,
    *,
    run: Run = process.run,
) -> pl.DataFrame:
    """What the scorer says of each item: kept scores where they still hold, the others found now and kept.

    A judge sets `of` against another model; all other scorers look at one model alone.
    """
    if (scorer.kind == "judge") != (against is not None):
        raise ValueError("a judge, and nothing but a judge, compares with another model")
    if scorer.kind == "preference":
        items = preference.changed(items, _logged(desk, items))
    marks = _marks(desk, scorer, items, of, against)
    key = {"workload": desk.workload, "model": of.model, "against": against.model if against else ""}
    key["scorer"] = scorer.name
    kept = _kept(desk, key, marks)
    for found in _found(desk, scorer, items.join(kept, on="item", how="anti"), of, against, run, len(kept) > 0):
        kept = pl.concat([kept, found.select(kept.columns)])
        _keep(desk, key, found, marks)
    return items.select("item", "user", "slice").join(kept, on="item", how="left").select(SCHEMA.keys()).sort("item")


def calibrated(desk: Desk, scorer: Scorer, *, run: Run = process.run) -> Calibration | None:
    """How the judge does on people's choices; None where nobody gave any."""
    if not scorer.labels:
        return None
    chosen = labels(REPOSITORY / scorer.labels.format(home=desk.settings.home))
    items = chosen.with_columns(reference=pl.lit(""))
    a, b = (
        Contender(model=side, folder=Path(), answers=answered(dict(chosen.select("item", side).iter_rows())))
        for side in "ab"
    )
    return calibrate(chosen, scores(desk, scorer, items, a, b, run=run))


def may_not_decide(desk: Desk, scorer: Scorer, *, run: Run = process.run) -> str:
    """Why this scorer may only report; empty where it may decide or guard."""
    return too_weak(calibrated(desk, scorer, run=run)) if scorer.kind == "judge" else ""


# ---- what is kept ---------------------------------------------------------------------------------------------------


def _kept(desk: Desk, key: dict[str, str], marks: dict[str, str]) -> pl.DataFrame:
    """The scores that still hold: found for exactly this content, and no holes."""
    same = [pl.col(name) == value for name, value in key.items()]
    known = desk.lake.scan("scores").filter(*same, pl.col("score").is_not_null()).collect()
    wanted = pl.DataFrame(
        {"item": list(marks), "identity": list(marks.values())}, schema=dict.fromkeys(("item", "identity"), pl.String)
    )
    return known.join(wanted, on=["item", "identity"], how="semi").select("item", "score", "why")


def _keep(desk: Desk, key: dict[str, str], found: pl.DataFrame, marks: dict[str, str]) -> None:
    """In place of what was known of these items under other content."""
    told = found.select("item", "score", "why").with_columns(
        *(pl.lit(value).alias(name) for name, value in key.items()),
        identity=pl.col("item").replace_strict(marks, return_dtype=pl.String),
    )
    where = {name: [value] for name, value in key.items()} | {"item": found["item"].to_list()}
    with desk.lake.writing():
        desk.lake.replace("scores", told, where)


def _marks(desk: Desk, scorer: Scorer, items: pl.DataFrame, of: Contender, against: Contender | None) -> dict[str, str]:
    """Of each item the hash of all that decides its score."""
    by = [VERSION, scorer.kind, _decides(desk, scorer, of)]
    read = list(ANSWERS)[1:] if scorer.kind in ("latency", "cost", "python") else ["text"]
    told = [{} if each is None else _by_item(each.answers, read) for each in (of, against)]
    marks = {}
    for item in items.to_dicts():
        said = [item["logged"]] if scorer.kind == "preference" else [each.get(item["item"]) for each in told]
        content = json.dumps([*by, item["prompt"], item["reference"], *said])
        marks[item["item"]] = hashlib.sha256(content.encode()).hexdigest()[:16]
    return marks


def _by_item(answers: pl.DataFrame, columns: list[str]) -> dict[str, list[Any]]:
    return {item: told for item, *told in answers.select("item", *columns).iter_rows()}


def _decides(desk: Desk, scorer: Scorer, of: Contender) -> Any:
    """What of a scorer decides its scores, beside the texts."""
    match scorer.kind:
        case "sent" | "checks":
            return [check.model_dump() for check in desk.rules.checks]
        case "cost":
            priced = _priced(of)
            return priced and [priced.price_in, priced.price_out]
        case "reward":
            return fingerprint(_model(desk, scorer))
        case "judge" if scorer.endpoint:
            return [judge.identity(), scorer.endpoint.url, scorer.endpoint.model]
        case "judge":
            return [judge.identity(), fingerprint(_model(desk, scorer))]
        case "python":
            return [scorer.python, hashlib.sha256(python.source(scorer.python)).hexdigest()]
        case "refusal":
            return refusal.CUES
    return None


# ---- what is found now ----------------------------------------------------------------------------------------------


def _found(
    desk: Desk,
    scorer: Scorer,
    items: pl.DataFrame,
    of: Contender,
    against: Contender | None,
    run: Run,
    known: bool,
) -> Iterator[pl.DataFrame]:
    """The scores of these items, a part at a time where they are dear; `known` where others were scored before."""
    if items.is_empty():
        return
    match scorer.kind:
        case "sent":
            yield sent.score(items, of.answers, desk.rules.checks)
        case "checks":
            yield checks.score(items, of.answers, desk.rules.checks)
        case "latency":
            yield latency.score(items, of.answers)
        case "cost":
            yield cost.score(items, of.answers, _priced(of))
        case "refusal":
            yield refusal.score(items, of.answers)
        case "python":
            yield python.score(items, of.answers, scorer.python)
        case "preference":
            yield _preferred(desk, scorer, items, of, run)
        case "reward":
            yield _rewarded(desk, scorer, items, of, run)
        case "judge":
            assert against is not None
            yield from _judged(desk, scorer, items, of, against, run, known)


def _preferred(desk: Desk, scorer: Scorer, items: pl.DataFrame, of: Contender, run: Run) -> pl.DataFrame:
    if is_endpoint(of.folder):
        return rows(items, {item: Hole("a model behind an endpoint shows no probabilities") for item in items["item"]})
    told = run("gate", _folder(desk, scorer, of), preference.job(of.folder, items.to_dicts()))
    return rows(items, preference.found(told))


def _rewarded(desk: Desk, scorer: Scorer, items: pl.DataFrame, of: Contender, run: Run) -> pl.DataFrame:
    texts = dict(of.answers.select("item", "text").drop_nulls().iter_rows())
    asked = items.filter(pl.col("item").is_in(list(texts)))
    job = reward.job(_model(desk, scorer), asked.to_dicts(), texts)
    found = reward.found(run("gate", _folder(desk, scorer, of), job)) if len(asked) else {}
    return rows(items, {item: Hole("no answer") for item in items["item"]} | found)


def _judged(
    desk: Desk, scorer: Scorer, items: pl.DataFrame, of: Contender, against: Contender, run: Run, known: bool
) -> Iterator[pl.DataFrame]:
    """A judge of our own is loaded once for all; behind an endpoint what is sent is written down before it goes."""
    for part in items.sort("item").iter_slices(CHUNK if scorer.endpoint else len(items)):
        asked = judge.requests(part, of.answers, against.answers)
        if scorer.endpoint:
            afford(desk, asked)
            record(desk, scorer.endpoint, asked)
        ask = _ask(desk, scorer, run, known=known)
        replies = ask([request.messages for request in asked]) if asked else []
        if scorer.endpoint:
            record(desk, scorer.endpoint, asked, replies)
        known |= any(not isinstance(reply, Refused) for reply in replies)
        said = [
            (request, Hole(reply.text) if isinstance(reply, Refused) else reply.text)
            for request, reply in zip(asked, replies, strict=True)
        ]
        yield judge.score(part, of.answers, against.answers, said)


def _ask(desk: Desk, scorer: Scorer, run: Run, *, known: bool) -> judge.Ask:
    if scorer.endpoint is None:
        return local.asking(_model(desk, scorer), run)
    whose = f"the judge {scorer.name}"
    asking = Asking(endpoint=scorer.endpoint, max_tokens=judge.MAX_TOKENS, whose=whose, answers=known)

    def ask(asked: Any) -> list[Any]:
        found = dict(asking.each(asked))
        return [found[number] for number in range(len(asked))]

    return ask


def _model(desk: Desk, scorer: Scorer) -> Path:
    if not scorer.model:
        what = f"the scorer {scorer.name} names no model"
        raise BadInput(what, allowed="`model`, or of a judge `endpoint`", do="name one in flywheel.toml")
    return locate(scorer.model.format(home=desk.settings.home))


def _priced(of: Contender) -> Any:
    return endpoint(of.folder) if is_endpoint(of.folder) else None


def _folder(desk: Desk, scorer: Scorer, of: Contender) -> Path:
    return desk.settings.home / "gate" / of.model / scorer.name


def _logged(desk: Desk, items: pl.DataFrame) -> dict[str, str]:
    """The text of each answer that the items are about, by its id."""
    of = (pl.col("workload") == desk.workload) & pl.col("answer").is_in(items["answer"].to_list())
    return dict(desk.lake.scan("exchanges").filter(of).select("answer", "response").collect().iter_rows())
