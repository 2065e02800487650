"""The sections of the page, each a pure function of what is told: the verdict first, then why. Costs have a module of
their own, so have the examples.
"""

from collections.abc import Mapping
from typing import Any

from flywheel.gate.report import plots
from flywheel.gate.report.markup import Html, Part, join, table, tag
from flywheel.gate.report.told import Told, between, ends, finite, number
from flywheel.settings import Gate

MEANS = {
    "promote": ("Promote", "✓", "This candidate is better than the champion, as far as these items can tell."),
    "hold": ("Hold", "‖", "Not enough is known, or something stands in the way. The champion goes on serving."),
    "reject": ("Reject", "✕", "This candidate must not serve. The champion goes on serving."),
}
FEW = 30
"""Slices with fewer items are named, and their numbers left out: they would be noise."""
HARM = 0.05
MOST_ROWS = 100
LABELS = {
    "alpha": "alpha of this look",
    "left": "share of the budget left",
    "raw": "mean gain, nothing taken out",
    "slope": "what the control takes out, by its unit",
}


def head(told: Told) -> Html:
    """The verdict in a word, a colour and a sentence."""
    verdict = told.verdict
    word, sign, means = MEANS[verdict["verdict"]]
    facts = {
        "candidate": verdict.get("candidate"),
        "champion": verdict.get("champion"),
        "eval set": verdict.get("eval_set"),
        "dataset": verdict.get("dataset"),
        "items": f"{verdict.get('items', 0):,} of {verdict.get('users', 0):,} users",
        "look": str(verdict.get("look", 0) or "none spent"),
    }
    return tag(
        "header",
        tag("p", f"{verdict['workload']}, cycle {verdict['cycle']}", class_="over"),
        tag("h1", tag("span", sign, class_="sign", aria_hidden="true"), word, class_=verdict["verdict"]),
        tag("p", means, class_="lead"),
        tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items()), class_="facts"),
    )


def why(told: Told) -> Html:
    """Every reason, the deciding one first; and what would change the verdict."""
    reasons = [*(told.verdict.get("reasons") or [told.verdict.get("reason") or "no reason was given"])]
    return section(
        "Why",
        tag("ol", *(tag("li", reason) for reason in reasons)),
        tag("h3", "What would change it"),
        tag("ul", *(tag("li", each) for each in changes(told))),
    )


def changes(told: Told) -> list[str]:
    """In words, with the n that it takes where one is known."""
    verdict, needed = told.verdict, told.verdict.get("n_needed")
    if verdict["verdict"] == "promote":
        return [
            "Another champion before this one is promoted: the verdict is void then, and the cycle is judged again.",
            "A person. The alias is yours: see the reasons to veto below.",
        ]
    if verdict["verdict"] == "reject":
        return ["Nothing on these items: the same two models again are the same look. It takes another candidate."]
    said = []
    if needed:
        said.append(
            f"About {needed:,} items like these, of as many users each, would tell; here are {verdict['items']:,}."
            " More logs bring them, and fresh items renew what looks may spend."
        )
    more = "The deciding reason above names what is in the way; when that has changed, judge the cycle again."
    return [*said, more if not said else "Judged again on the same items, it is the same look: nothing new is learned."]


def gain(told: Told) -> Html:
    """The gain with its interval, against no gain and the least that counts."""
    verdict = told.verdict
    if finite(verdict.get("gain")) is None:
        return section("The gain", tag("p", "There is no gain to show: too little was answered, or nothing compared."))
    said = between(verdict["gain"], verdict["low"], verdict["high"], signed=True)
    level = verdict.get("level")
    row = plots.Row("all items", ends(verdict), said)
    marks = {"zero": 0.0, "least": told.rules.gate.min_gain}
    scores = f"{number(verdict.get('champion_score'))} to {number(verdict.get('candidate_score'))}"
    counts = told.counts
    return section(
        "The gain",
        tag("p", f"Mean score of the champion to that of the candidate: {scores}. Positive is better for people."),
        plots.forest([row], marks, signed=True),
        plots.legend(
            {
                "dot candidate": f"gain, and its {level:.2%} interval over users" if level else "gain and its interval",
                "mark zero": "no difference",
                "mark least": f"the least that counts, {told.rules.gate.min_gain:g}",
            }
        ),
        tag("h3", "Item by item"),
        plots.stack(counts, "items"),
        plots.legend({f"part {name}": f"{count:,} {name}" for name, count in counts.items()}),
    )


def slices(told: Told) -> Html:
    """Gains slice by slice, with n and the chance of harm after Holm."""
    rules = told.rules.gate
    large = [row for row in told.slices if (row.get("items") or 0) >= FEW]
    small = [f"{row.get('slice')} ({row.get('items') or 0})" for row in told.slices if row not in large]
    rows = [
        plots.Row(str(row.get("slice")), ends(row), _said(row), "worse" if stops(row, rules) else "candidate")
        for row in large[:MOST_ROWS]
    ]
    marks = {"zero": 0.0, "margin": -rules.slice_margin}
    legend = {
        "dot candidate": "gain in the slice, and its 95 % interval over users",
        "dot worse": "a slice that stops the candidate",
        "mark zero": "no difference",
        "mark margin": f"a loss of {rules.slice_margin:g}, more than a slice may lose",
    }
    return section(
        "Slices",
        join(plots.forest(rows, marks, signed=True), plots.legend(legend)) if rows else tag("p", "No slice is large."),
        tag("p", f"Too few items to show ({FEW} are needed): {', '.join(small[:MOST_ROWS])}.") if small else None,
        tag(
            "p",
            f"Slices of {rules.slice_items} items or more can stop a candidate: by a loss beyond the margin, or by"
            f" evidence of harm (p below {HARM:g}). p is the chance of a loss as large as this in a slice that lost"
            " nothing, adjusted for the number of slices (Holm).",
            class_="note",
        ),
    )


def beside(told: Told) -> Html:
    """What is watched beside the score: guards, what was forgotten, the sealed set, the control of length."""
    asked = {
        "guards": ("Guards", "No scorer guards this workload."),
        "forgetting": ("Forgetting", "Not measured: the workload names no capability set."),
        "sealed": ("Sealed set", "Not opened: it is opened only for a candidate that has won on the other items."),
        "control": ("Control", "No control: the score is not a judge's."),
    }
    shown = {"guards": _guards, "sealed": _sealed, "control": _control}
    parts = [
        join(
            tag("h3", title),
            shown.get(key, anything)(told.details[key]) if told.details.get(key) else tag("p", missing),
        )
        for key, (title, missing) in asked.items()
    ]
    return section("Beside the score", *parts)


def _guards(guards: Any) -> Html:
    """Each with its gain, its margin and its holes."""
    if not isinstance(guards, Mapping) or not all(isinstance(each, Mapping) for each in guards.values()):
        return anything(guards)
    rows: list[list[Part]] = [
        [name, between(*ends(found), signed=True), *(_cell(found.get(key)) for key in ("margin", "items", "holes"))]
        for name, found in guards.items()
    ]
    head = ["scorer", "gain, positive is better", "may be worse by", "n", "holes"]
    return table(head, rows)


def _control(control: Any) -> Html:
    """What was taken out of the gain."""
    if isinstance(control, Mapping) and control.get("slope") == 0:
        return tag("p", "Nothing was taken out of the gain: it is the plain mean.")
    return anything(control)


def _sealed(sealed: Any) -> Html:
    """Whether it was opened, and where it points."""
    if not isinstance(sealed, Mapping) or "opened" not in sealed:
        return anything(sealed)
    if not sealed["opened"]:
        asked, wanted = sealed.get("asked") or 0, sealed.get("wanted") or 0
        few = f" There is none yet: it takes {wanted:,} items." if asked < wanted else ""
        return tag("p", "Not opened: it is opened only for a candidate that has won on the other items.", few)
    said = between(*ends(sealed), signed=True)
    return tag("p", f"Opened for this candidate: gain {said}, n = {_cell(sealed.get('items'))}.")


def bridge(told: Told) -> Html:
    """What the exchange of items alone did to the scores; nothing where the eval set is the one before."""
    found = told.bridge
    if found is None:
        return join()
    moved = between(*(found[name] for name in ("moved", "low", "high")), signed=True)
    facts = {
        "by the items alone": moved,
        "score on the set before": f"{number(found['score_before'])}, {found['items_before']:,} items",
        "score on this set": f"{number(found['score'])}, {found['items']:,} items",
        "items in both": f"{found['shared']:,}",
        "model, scorer": f"{found['model']}, {found['scorer']}",
        "sets": f"{found['before']} to {found['eval_set']}",
    }
    said = found["why"] or "So much of a change since the last verdict is the ruler and not the model."
    return section("The bridge from the eval set before", anything(facts), tag("p", said, class_="note"))


def spent(told: Told) -> Html:
    """Looks, alpha, what is left of the budget, tokens and minutes."""
    known = told.details.get("spent")
    verdict = told.verdict
    level = finite(verdict.get("level"))
    look = {"look": verdict.get("look"), "alpha of this look": None if level is None else (1 - level) / 2}
    return section(
        "What was spent",
        anything(known) if known else anything({key: value for key, value in look.items() if value is not None}),
        tag(
            "p",
            f"All looks at the same items together may promote falsely with a chance of {told.rules.gate.alpha:g}."
            " Each look spends a part of it; fresh items bring their own.",
            class_="note",
        ),
    )


def anything(value: Any) -> Html:
    """Details as they came: a mapping as a list of facts or a table, rows as a table, the rest as text."""
    if isinstance(value, Mapping) and value and all(isinstance(each, Mapping) for each in value.values()):
        return anything([{"": name, **row} for name, row in value.items()])
    if isinstance(value, Mapping):
        facts = (tag("div", tag("dt", _name(key)), tag("dd", _cell(each))) for key, each in value.items())
        return tag("dl", *facts, class_="facts")
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        names = list(dict.fromkeys(name for row in value for name in row))
        rows: list[list[Part]] = [[_cell(row.get(name)) for name in names] for row in value[:MOST_ROWS]]
        return table([_name(name) for name in names], rows)
    if isinstance(value, list):
        return tag("ul", *(tag("li", _cell(each)) for each in value[:MOST_ROWS]))
    return tag("p", _cell(value))


def section(title: str, *inside: Part) -> Html:
    return tag("section", tag("h2", title), *inside)


def stops(row: Mapping[str, Any], rules: Gate) -> bool:
    """As `decide` has it: only slices that were tested can stop a candidate."""
    harm, gain = finite(row.get("harm")), finite(row.get("gain"))
    return harm is not None and gain is not None and (harm < HARM or gain < -rules.slice_margin)


def _said(row: Mapping[str, Any]) -> str:
    """The numbers of a slice in a line."""
    harm = finite(row.get("harm"))
    said = between(row.get("gain"), row.get("low"), row.get("high"), signed=True)
    return f"{said}, n = {row.get('items'):,}" + ("" if harm is None else f", p = {harm:.2g}")


def _name(key: Any) -> str:
    return LABELS.get(str(key), str(key).replace("_", " "))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list) and all(finite(each) is not None for each in value):
        return " to ".join(f"{each:.4g}" for each in value)
    return str(value)[:500]
