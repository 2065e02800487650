"""The sections for the person who answers for the product: what it costs, why one might veto, answers side by side."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from flywheel.gate.costs import OUTCOMES
from flywheel.gate.report import plots
from flywheel.gate.report.examples import MOST, against, chosen, short
from flywheel.gate.report.markup import Html, Part, table, tag
from flywheel.gate.report.sections import section
from flywheel.gate.report.told import Told, estimate, finite, number, share

SIDES = {"candidate": "candidate", "champion": "champion", "none": "no AI"}
LEGEND = {
    "candidate": "candidate, and its 95 % interval over users",
    "champion": "champion, the same",
    "none": "no AI: the work by hand, as the policy prices it",
}
HALF = 0.5
GROUPS = {
    "worst losses": "Worst losses",
    "best wins": "Best wins",
    "at random": "At random, by the hash of the item",
}


def costs(told: Told) -> Html:
    """What a success costs, beside the champion and beside no AI."""
    known = told.details.get("costs")
    if not isinstance(known, Mapping):
        return section("What it costs", tag("p", "Costs were not computed for this verdict."))
    sides = {side: known[side] for side in SIDES if isinstance(known.get(side), Mapping)}
    rows = [
        plots.Row(SIDES[side], _numbers(found.get("per_success")), estimate(found.get("per_success")), look=side)
        for side, found in sides.items()
    ]
    stacks = [
        tag("div", tag("span", SIDES[side], class_="name"), plots.stack(counts, SIDES[side]), class_="row stack")
        for side, found in sides.items()
        if (counts := {name: found.get("outcomes", {}).get(name, 0) for name in OUTCOMES}) and any(counts.values())
    ]
    return section(
        "What it costs",
        tag("p", _saved(known.get("saving"))),
        tag("h3", "Expected cost of a successful answer"),
        plots.forest(rows, {"zero": 0.0}),
        plots.legend({f"dot {side}": LEGEND[side] for side in sides}),
        tag("h3", "What became of the answers"),
        tag("div", *stacks, class_="forest"),
        plots.legend({f"part {name}": name for name in OUTCOMES}),
        table(
            ["", "n", "cost of a success", "cost of an answer", "of that, requests", "successes"],
            [[SIDES[side], *_row(found)] for side, found in sides.items()],
        ),
        _slices(known.get("slices")),
        tag("p", "In the currency of the policy's prices; each slice by its own.", class_="note"),
    )


def veto(told: Told) -> Html:
    """What a person may hold against the numbers, and how."""
    return section(
        "Reasons to veto",
        tag("p", "Numbers can say yes where people would say no. Read some of the answers below, and these points:"),
        tag("ul", *(tag("li", each) for each in doubts(told))),
        _how(told.rules.promotion == "auto"),
    )


def doubts(told: Told) -> list[str]:
    """What speaks against the candidate, or was not looked at, whatever the verdict."""
    total = max(len(told.gains), 1)
    worse, halved = told.counts["worse"], int((told.gains["gain"] < -HALF).sum())
    said = [f"{worse:,} of {total:,} answers are worse than the champion's, {halved:,} of them by more than {HALF:g}."]
    if losing := [str(row.get("slice")) for row in told.slices if (finite(row.get("gain")) or 0) < 0]:
        said.append(f"On average it loses in {', '.join(losing[:20])}.")
    known = told.details.get("costs")
    if isinstance(known, Mapping):
        errors = [_count(known.get(side), "error") for side in ("candidate", "champion")]
        if errors[0] > errors[1]:
            said.append(f"{errors[0]:,} of its answers break a check; of the champion's {errors[1]:,} did.")
        low = _numbers((known.get("saving") or {}).get("per_success"))[1]
        if low is None or low <= 0:
            said.append("It is not sure that it costs less than the champion.")
    missing = {
        "sealed": "The sealed set has not confirmed it.",
        "forgetting": "Nobody measured what it forgot.",
        "guards": "No other scorer guards it.",
    }
    sealed = told.details.get("sealed")
    known = {**told.details, "sealed": sealed and not (isinstance(sealed, Mapping) and sealed.get("opened") is False)}
    return said + [sentence for key, sentence in missing.items() if not known.get(key)]


def examples(told: Told) -> Html:
    """Both answers beside what was finally sent."""
    found = chosen(told.pairs, told.candidate, told.champion)
    if not found:
        return section("Side by side", tag("p", "There are no two answers that differ."))
    rows = {row["item"]: row for row in told.items.iter_rows(named=True)}
    scores = {row["item"]: row for row in told.gains.iter_rows(named=True)}
    groups = [
        tag(
            "details",
            tag("summary", f"{GROUPS[name]} ({len(group)})"),
            *(_example(rows[each.item], scores[each.item], told) for each in group),
            open="" if name == found[0].group else None,
        )
        for name, members in groupby(found, key=lambda each: each.group)
        for group in [list(members)]
    ]
    legend = [tag("del", "struck out"), ": people would not have kept it; ", tag("ins", "added"), ": they wrote it."]
    cut = f" Texts are cut after {MOST:,} characters."
    return section("Side by side", tag("p", f"{len(found)} items. ", *legend, cut), *groups)


def _example(item: Mapping[str, Any], score: Mapping[str, Any], told: Told) -> Html:
    sent, gain = item["reference"], score["gain"]
    sides = {
        "what was finally sent": short(sent),
        f"champion, {number(score['score_champion'])}": against(told.champion[item["item"]], sent),
        f"candidate, {number(score['score'])}": against(told.candidate[item["item"]], sent),
    }
    look = "better" if gain > 0 else "worse" if gain < 0 else "same"
    return tag(
        "article",
        tag(
            "p",
            tag("b", f"{gain:+.3f}", class_=f"gain {look}"),
            f" {look}, slice {item['slice']}, item ",
            tag("code", str(item["item"])[:16]),
        ),
        tag("p", tag("span", "asked", class_="label"), short(item["request"]), class_="asked"),
        tag(
            "div",
            *(tag("div", tag("span", name, class_="label"), tag("p", said)) for name, said in sides.items()),
            class_="sides",
        ),
    )


def _how(auto: bool) -> Html:
    """The alias is a person's: what to do with it."""
    champion, challenger = tag("code", "champion"), tag("code", "challenger")
    if auto:
        back = " by itself. To veto, move it back in MLflow: the wheel sees it, writes it down and does not undo it."
        return tag("p", "Here the wheel moves the alias ", champion, back)
    yours = " is yours: this candidate serves nobody until you move it in MLflow. To veto, leave it where it is, take "
    return tag("p", "The alias ", champion, yours, challenger, " away, and write why into the version's description.")


def _slices(known: Any) -> Html | None:
    """Slice by slice what a success costs."""
    if not isinstance(known, Mapping) or not known:
        return None
    rows: list[list[Part]] = []
    for name, sides in list(known.items())[:100]:
        cells = [estimate((sides.get(side) or {}).get("per_success")) for side in SIDES]
        rows.append([name, f"{(sides.get('candidate') or {}).get('items', 0):,}", *cells])
    return table(["slice", "n", *SIDES.values()], rows, "Cost of a success by slice")


def _row(found: Mapping[str, Any]) -> list[Part]:
    items = f"{found.get('items', 0):,}" + (f", {found['holes']:,} unknown" if found.get("holes") else "")
    success = share(found.get("success")) if "by hand" not in found.get("outcomes", {}) else "-"
    told = [estimate(found.get("per_success")), estimate(found.get("per_answer"))]
    return [items, *told, number(found.get("request")), success]


def _saved(saving: Any) -> str:
    """The difference in a sentence."""
    value, low, high = _numbers(saving.get("per_success") if isinstance(saving, Mapping) else None)
    if value is None:
        return "Whether it costs less than the champion cannot be told yet."
    how = "less" if value >= 0 else "more"
    if low is None or high is None:
        return f"A success costs {abs(value):.3g} {how} than the champion's, with no interval yet."
    sure = "" if low > 0 or high < 0 else " Whether it costs less or more cannot be told yet."
    ends = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
    if low * high <= 0:
        return f"A success costs {value:+.3g} less than the champion's (95 % interval {low:+.3g} to {high:+.3g}).{sure}"
    return f"A success costs {abs(value):.3g} {how} than the champion's (95 % interval {ends[0]:.3g} to {ends[1]:.3g})."


def _numbers(found: Any) -> tuple[float | None, float | None, float | None]:
    given = found if isinstance(found, Mapping) else {}
    return finite(given.get("value")), finite(given.get("low")), finite(given.get("high"))


def _count(side: Any, outcome: str) -> int:
    return (side.get("outcomes") or {}).get(outcome, 0) if isinstance(side, Mapping) else 0
