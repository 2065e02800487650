"""The page of a verdict: it tells the verdict first, bears what is missing, and nothing in it executes from data."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.gate import costs, report
from flywheel.gate.report import Told, examples, plots
from flywheel.gate.report.markup import join, tag, text
from flywheel.gate.report.told import between, share
from flywheel.gate.scorers.rows import answered
from flywheel.gate.scorers.sent import score
from flywheel.settings import Gate, Policy, Workload
from tests.flywheel.gate.workbench import eval_items, model, reworded

HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(1)> &amp; \u202egnp.exe \x00 {body} `code`"
VOID = {"meta", "br", "img", "link", "input", "hr", "base"}
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "details"}
ALLOWED |= {"h1", "h2", "h3", "p", "ol", "ul", "li", "dl", "dt", "dd", "div", "span", "b", "i", "code", "del", "ins"}
ALLOWED |= {"summary", "table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "line", "circle", "rect", "text"}


class Read(HTMLParser):
    """What a browser would find: the elements in order, their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def told(
    verdict: str = "promote",
    *,
    items: pl.DataFrame | None = None,
    details: dict[str, Any] | str | None = None,
    rules: Workload | None = None,
    **columns: Any,
) -> Told:
    """A page's worth of a comparison that the candidate wins."""
    items = eval_items(60, 5) if items is None else items
    candidate, champion = model(items, right=0.95, seed=1), model(items, right=0.7, seed=2)
    scored = [score(items, answered(texts)).select("item", "score") for texts in (candidate, champion)]
    pairs = items.select("item", "user", "slice").join(scored[0], on="item")
    pairs = pairs.join(scored[1].rename({"score": "score_champion"}), on="item")
    row = {"workload": "replies", "cycle": 3, "candidate": "new", "champion": "old", "eval_set": "e1", "dataset": "d1"}
    row |= {
        "verdict": verdict,
        "reason": "first",
        "reasons": ["first", "second"],
        "gain": 0.25,
        "low": 0.2,
        "high": 0.3,
    }
    row |= {"level": 0.97, "items": 300, "users": 60, "look": 1, "candidate_score": 0.9, "champion_score": 0.65}
    raw = details if isinstance(details, str) else json.dumps(details or {})
    row |= {"n_needed": None, "details": raw, **columns}
    return Told(
        verdict=row,
        pairs=pairs.with_columns(gain=pl.col("score") - pl.col("score_champion")),
        items=items,
        candidate=candidate,
        champion=champion,
        rules=rules or Workload(base_model="base"),
    )


def with_costs(found: Told) -> dict[str, Any]:
    sides = [
        costs.outcomes(found.items, answered(texts), checks=(), policy=Policy())
        for texts in (found.candidate, found.champion)
    ]
    return {"costs": costs.priced(found.items, *sides, Policy())}


@pytest.mark.parametrize("verdict", ["promote", "hold", "reject"])
def test_the_verdict_comes_first_then_why(verdict: str) -> None:
    read = Read(report.page(told(verdict)))
    assert read.of("h1") == [{"class": verdict}]
    order = [read.text.index(said) for said in (verdict.capitalize(), "Why", "first", "second", "The gain")]
    assert order == sorted(order)
    assert read.open == []


def test_a_page_asks_nothing_of_any_network_and_runs_nothing() -> None:
    read = Read(report.page(told(details=with_costs(told()))))
    assert {tag for tag, _ in read.elements} <= ALLOWED
    policy = next(meta["content"] for meta in read.of("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert not [name for _, attributes in read.elements for name in attributes if name in ("src", "href", "style")]
    assert "url(" not in report.page(told())
    assert "@import" not in report.page(told())


def hostile() -> Told:
    """Every text that people, models, settings and other modules bring is hostile."""
    items = eval_items(60, 5, reference=HOSTILE, request=HOSTILE).with_columns(slice=pl.lit(HOSTILE))
    found = told(
        items=items.with_columns(pl.col("reference") + pl.col("item")),
        reason=HOSTILE,
        reasons=[HOSTILE],
        champion=HOSTILE,
        details={key: {HOSTILE: HOSTILE} for key in ("guards", "forgetting", "sealed", "control", "spent")},
    )
    changed = reworded(found.candidate, lambda said: said + HOSTILE + "\ud800")
    return Told(**{**vars(found), "candidate": changed})


def test_nothing_executes_from_data() -> None:
    page = report.page(hostile())
    read = Read(page)
    assert {tag for tag, _ in read.elements} <= ALLOWED
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in read.text
    assert "[U+202E]" in read.text
    assert not set("\u202e\x00") & set(page)
    assert page.encode().decode() == page
    assert page.count("<main>") == 1


@given(st.text())
def test_any_text_comes_back_as_text(said: str) -> None:
    read = Read(tag("p", said, title=said))
    assert [name for name, _ in read.elements] == ["p"]
    assert read.text == Read(f"<p>{text(said)}</p>").text
    shown = said.replace("\r", "")
    if shown.isprintable():
        assert read.text == shown


def test_markup_is_kept_and_strings_are_not() -> None:
    assert join(tag("b", "a < b"), "<i>") == "<b>a &lt; b</b>&lt;i&gt;"


@pytest.mark.parametrize(
    "details",
    [
        "{}",
        "null",
        "not JSON",
        "[]",
        json.dumps(dict.fromkeys(["slices", "guards", "forgetting", "sealed", "costs", "spent", "control"])),
        json.dumps(
            {"slices": 3, "guards": "x", "forgetting": [1], "sealed": 0.5, "costs": [], "spent": "", "control": {}}
        ),
        json.dumps({"costs": {"candidate": {}, "champion": None, "saving": None, "slices": {"shop": {}}}}),
        json.dumps(
            {"slices": {"shop": {"items": 200, "gain": None}}, "sealed": {"opened": False}, "guards": {"a": {}}}
        ),
    ],
)
def test_what_is_missing_is_said_and_breaks_nothing(details: str) -> None:
    numbers: Any = dict.fromkeys(["gain", "low", "high", "level", "candidate_score", "champion_score"])
    for columns in ({"details": details}, {"details": details, **numbers}):
        read = Read(report.page(told("hold", **columns)))
        assert read.open == []
        assert "Not measured" in read.text or "forgetting" in details


def test_without_a_common_answer_there_is_still_a_page() -> None:
    found = told("hold", details={})
    none = Told(**{**vars(found), "pairs": found.pairs.with_columns(gain=pl.lit(None, pl.Float64))})
    assert "no two answers that differ" in Read(report.page(none)).text


def test_what_would_change_the_verdict_names_its_n() -> None:
    assert "About 1,240 items" in Read(report.page(told("hold", n_needed=1240))).text
    assert "It takes another candidate" in Read(report.page(told("reject"))).text


@pytest.mark.parametrize(
    ("promotion", "said"), [("person", "serves nobody until you move it"), ("auto", "move it back")]
)
def test_a_person_is_told_how_to_veto(promotion: Any, said: str) -> None:
    assert said in Read(report.page(told(rules=Workload(base_model="b", promotion=promotion)))).text


def test_doubts_are_told_even_of_a_winner() -> None:
    read = Read(report.page(told(details={"sealed": {"opened": False, "asked": 0, "wanted": 300}})))
    for doubt in ("are worse than the champion's", "sealed set has not confirmed it", "Nobody measured what it forgot"):
        assert doubt in read.text
    opened = {"opened": True, "gain": 0.1, "low": 0.0, "high": 0.2, "items": 300}
    confirmed = Read(report.page(told(details={"sealed": opened}))).text
    assert "has not confirmed it" not in confirmed
    assert "Opened for this candidate: gain +0.100 (+0.000 to +0.200), n = 300" in confirmed


def test_costs_stand_beside_champion_and_no_ai() -> None:
    found = told()
    read = Read(report.page(told(details=with_costs(found))))
    per_success = with_costs(found)["costs"]["candidate"]["per_success"]
    assert f"{per_success['value']:.3g} ({per_success['low']:.3g} to {per_success['high']:.3g})" in read.text
    assert "no AI" in read.text
    assert "less than the champion's (95 % interval" in read.text
    assert "Costs were not computed" in Read(report.page(found)).text


def test_slices_are_drawn_with_their_numbers_and_small_ones_only_named() -> None:
    given = {"shop": {"items": 200, "gain": 0.1, "low": 0.05, "high": 0.15, "harm": 0.9999}}
    given["tiny"] = {"items": 7, "gain": -0.9, "low": -1.0, "high": -0.8}
    read = Read(report.page(told(details={"slices": given})))
    assert "+0.100 (+0.050 to +0.150), n = 200, p = 1" in read.text
    assert "Too few items to show (30 are needed): tiny (7)" in read.text
    assert "-0.900" not in read.text.split("Slices")[1].split("What it costs")[0]


@pytest.mark.parametrize(
    ("gain", "harm", "stops"), [(-0.06, 0.4, True), (-0.04, 0.01, True), (-0.04, 0.4, False), (-0.06, None, False)]
)
def test_a_slice_that_stops_the_candidate_is_marked(gain: float, harm: float | None, stops: bool) -> None:
    given = {"shop": {"items": 200, "gain": gain, "low": gain - 0.1, "high": gain + 0.1, "harm": harm}}
    drawn = report.page(told(details={"slices": given})).split('class="legend"')[2]
    assert ('class="dot worse"' in drawn) is stops


def test_every_mark_has_a_legend() -> None:
    page = report.page(told(details=with_costs(told())))
    drawn = set(re.findall(r'class="((?:dot|mark|part) \w+)"', page.replace('class="sample"', "")))
    samples = set(re.findall(r'class="sample" aria-hidden="true">.*?class="((?:dot|mark|part) \w+)"', page))
    assert drawn - {"mark zero"} <= samples
    assert "mark zero" in samples


def test_examples_are_the_worst_the_best_and_some_at_random() -> None:
    found = told()
    chosen = examples.chosen(found.pairs, found.candidate, found.champion)
    assert chosen == examples.chosen(found.pairs.reverse(), found.candidate, found.champion)
    groups = {
        name: [each for each in chosen if each.group == name] for name in ("worst losses", "best wins", "at random")
    }
    gains = dict(found.pairs.select("item", "gain").iter_rows())
    losses = sorted(gain for gain in gains.values() if gain < 0)
    assert [each.gain for each in groups["worst losses"]] == losses[:15]
    assert [each.gain for each in groups["best wins"]] == sorted(gains.values())[::-1][:10]
    assert len({each.item for each in chosen}) == len(chosen) == 40


def test_answers_that_are_equal_are_no_examples() -> None:
    found = told()
    same = {**found.candidate, "i0000": found.champion["i0000"]}
    assert "i0000" not in {each.item for each in examples.chosen(found.pairs.head(1), same, found.champion)}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("see you on Monday", "<span>see you on </span><del>Monday</del><ins>Tuesday</ins>"),
        ("See YOU on tuesday", "<span>See YOU on tuesday</span>"),
        ("see you maybe on Tuesday", "<span>see you </span><del>maybe</del> <span>on Tuesday</span>"),
        ("see on Tuesday", "<span>see </span><ins>you</ins> <span>on Tuesday</span>"),
        ("no way", "no way<i> (almost nothing of it was kept)</i>"),
        ("", "<i>(empty)</i>"),
    ],
)
def test_an_answer_is_set_against_what_was_sent(answer: str, expected: str) -> None:
    assert examples.against(answer, "see you on Tuesday") == expected


@pytest.mark.parametrize("count", [1, 100, 2000])
def test_a_page_stays_small_however_long_the_texts(count: int) -> None:
    found = told(items=eval_items(count, 1, request='"<&>" ' * 5_000))
    candidate, champion = ({item: f"& {word} " * 20_000 for item in found.items["item"]} for word in "bc")
    sent = found.items.with_columns(reference=pl.lit("& d " * 20_000))
    page = report.page(Told(**{**vars(found), "items": sent, "candidate": candidate, "champion": champion}))
    assert len(page.encode()) < 3_000_000
    assert "cut: " in page


def test_the_same_verdict_is_the_same_file(tmp_path: Path) -> None:
    first = report.written(tmp_path, told()).read_bytes()
    again = told()
    shuffled = Told(**{**vars(again), "pairs": again.pairs.reverse(), "items": again.items.reverse()})
    out = report.written(tmp_path, shuffled)
    assert out.read_bytes() == first
    assert [each.name for each in out.parent.iterdir()] == ["replies-3.html"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_an_axis_holds_every_value_and_has_ticks(values: list[float]) -> None:
    over = plots.scale(values)
    assert all(over.low < value < over.high for value in values)
    assert 1 <= len(over.ticks()) <= 8
    assert over.at(over.low) == "0.00%"


def test_numbers_say_what_they_do_not_know() -> None:
    assert between(None, None, None) == "cannot tell yet"
    assert between(0.5, None, None) == "0.5 (no interval yet)"
    assert between(float("nan"), 0.1, 0.2) == "cannot tell yet"
    assert share({"value": 0.5, "low": 0.4, "high": 0.6}) == "50% (40% to 60%)"
    assert Gate().min_gain == 0.01
