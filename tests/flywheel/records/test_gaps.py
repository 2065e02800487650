"""Form or facts: what an edit or a correction brings that the model could not have known, and what looks like it."""

import json
import random
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from flywheel import records, signals
from flywheel.playground import world
from flywheel.playground.by_chance import play_by_chance
from flywheel.playground.tastes import mended
from flywheel.playground.texts import by_chance, compose, some_request
from flywheel.records.gaps import grouped
from flywheel.settings import Records, Signals
from tests.flywheel.records.made import a_correction, an_edit, count, made
from tests.product import LATER, take

ASKED = "This is Anna Berg. My order 10412 came broken, please help."
ANSWER = "Dear Anna Berg, It is on its way. Just reply if you need more."


def gap(asked: str, answered: str, became: str, kind: str = "edit") -> dict[str, pl.DataFrame]:
    if kind == "correction":
        prompt = json.dumps([{"role": "user", "content": asked}])
        return made(*a_correction(became, "Fine.", prompt=prompt, response=answered))
    answer, signals = an_edit(text=became)
    prompt = json.dumps([{"role": "system", "content": "Be kind."}, {"role": "user", "content": asked}])
    return made([answer | {"prompt": prompt, "response": answered}], signals)


@pytest.mark.parametrize(
    ("asked", "answered", "became"),
    [
        (ASKED, ANSWER, "Dear Anna Berg, Your order 10412 is being replaced. Kind regards, your team."),
        (ASKED, ANSWER, "Dear Anna, We are sorry for all this. It is on its way. We promise a better service."),
        (ASKED, ANSWER, "Hello Anna Berg!\nThank you for your message. We Are Happy To Help You."),
        (ASKED, ANSWER, "1. Order 10412\n2. It is on its way\n3. Reply if you need more"),
        ("It costs 1000 euros", "It is 1000.", "It is 1,000."),
        ("I have three cats", "Fine.", "You have 3 cats."),
        ("Meeting on 2024-03-12", "ok", "The meeting is on 12.3.2024"),
        ("write sql for the users", "SELECT * FROM users", "SELECT id FROM users WHERE id IS NOT NULL ORDER BY id"),
        ("Wo ist Bestellung 10412?", "Unterwegs.", "Guten Tag, die Bestellung ist unterwegs und kommt mit dem Boten."),
        ("hi", "hello there", "Hello there, I am happy to help you. What can I do for you today? I'd love to."),
    ],
)
def test_form_loses_nothing(asked: str, answered: str, became: str) -> None:
    assert count(gap(asked, answered, became)) == {"edit_pair": 1, "edit_demonstration": 1}


@pytest.mark.parametrize(
    ("became", "missing", "sure"),
    [
        ("It is on its way with tracking number 1Z999AA10123456784.", ["1Z999AA10123456784"], True),
        ("It is on its way. Call us at 0301234567.", ["0301234567"], True),
        ("It is on its way. Write to [EMAIL_3f2a].", ["[EMAIL_3f2a]"], True),
        ("It is on its way. See https://example.com/track", ["https://example.com/track"], True),
        ("It is on its way. You get $20 back.", ["$20"], True),
        ("It is on its way and arrives on 12 March.", ["12", "March"], True),
        ("It is on its way from our depot in Hamburg.", ["Hamburg"], True),
        ("It is on its way, and our sender sorts parcels with help from Moser.", ["Moser"], False),
    ],
)
def test_facts_are_a_gap_and_not_trained_on(became: str, missing: list[str], sure: bool) -> None:
    found = gap(ASKED, ANSWER, became)
    assert count(found) == {"knowledge_gap": 1}
    row = found["knowledge_gaps"].row(0, named=True)
    assert (row["missing"], row["said"], row["doubtful"]) == (missing, became, not sure)
    assert row["event_ids"] == ["event edit a", "response a"]


def test_a_name_in_a_paragraph_written_anew_is_form() -> None:
    became = (
        "Mornings in the old harbour smelled of tar, and nobody there ever asked where Maria slept, since "
        "the boats came home late, the lamps burned low, and every door along the water stood open for strangers."
    )
    found = gap("Write about a harbour", "The harbour was old.", became)
    assert count(found) == {"edit_pair": 1, "edit_demonstration": 1}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("No, that is wrong. I asked for a shorter answer.", None),
        ("THIS IS NOT WHAT I WANTED. Please make it shorter and friendlier.", None),
        ("No! The order number is 10412", None),
        ("That does not work.\nError: line 311 in Index failed\n  at 0x7f3a", None),
        ("Still wrong:\n```\nvalue = 4711\n```", None),
        ("No, the deadline is Friday", ["Friday"]),
        ("wrong, it is handled by Petra Moser", ["Petra Moser"]),
        ("no, the table is called customer_orders", ["customer_orders"]),
        ("No, your SLA says 24 hours.", ["24", "SLA"]),
    ],
)
def test_a_correction_with_facts_is_a_gap_and_no_pair(said: str, expected: list[str] | None) -> None:
    found = gap(ASKED, ANSWER, said, kind="correction")
    if expected is None:
        assert count(found) == {"correction_pair": 1, "correction_label": 1, "failure_case": 1}
    else:
        assert count(found) == {"knowledge_gap": 1, "correction_label": 1, "failure_case": 1}
        assert found["knowledge_gaps"]["missing"].item().to_list() == expected


@pytest.mark.parametrize("workload", ["reply-drafts", "call-notes"])
def test_no_edit_of_the_playground_brings_facts(workload: str) -> None:
    """Names and order numbers stand in its prompts, and all else is wording."""
    chance = random.Random(1)
    answers, signals = [], []
    for n, segment in enumerate(["retail", "wholesale", "travel", "bank"] * 50):
        request = some_request(workload, segment, chance)
        text = compose(request, by_chance(request, chance))
        answer, acts = an_edit(str(n), text=mended(request, text))
        answers.append(answer | {"prompt": json.dumps(request.prompt()), "response": text})
        signals += acts
    found = made(answers, signals)
    assert found["knowledge_gaps"].is_empty()
    assert len(found["demonstrations"]) == 200


def test_what_only_a_correction_could_tell_is_found_in_a_week_of_the_playground(tmp_path: Path) -> None:
    habits = {"seed": 5, "users": 120, "talk": {"news": 0.3}, "unhappy": {"correct": 0.3}}
    events, truth = play_by_chance(world.read(habits), 1)
    log = take(tmp_path, events).read("events")
    later = {workload: LATER + timedelta(days=900) for workload in log["workload"].unique()}
    found = signals.derive(log, later, Signals())
    told = {line["answer"] for line in truth if line["news"]}
    corrections = found.signals.filter(kind="correction").filter(pl.col("other").is_in(list(told)))
    gaps = records.derive(found.exchanges, found.signals, Records(), Signals())["knowledge_gaps"]
    assert len(corrections) > 20
    assert set(corrections["answer"]) <= set(gaps["answer"])
    assert len(corrections) > 0.9 * len(gaps)


def test_documents_in_the_prompt_are_known() -> None:
    answer, signals = an_edit(text="It is on its way from Hamburg, parcel 48213.")
    told = [{"role": "tool", "content": "Parcel 48213, sent from Hamburg"}, {"role": "user", "content": "Where is it?"}]
    assert "knowledge_gap" not in count(made([answer | {"prompt": json.dumps(told)}], signals))


def test_with_the_rule_off_nothing_is_looked_for() -> None:
    answer, signals = an_edit(text="It is on its way, parcel 48213.")
    assert count(made([answer], signals)) == {"knowledge_gap": 1}
    assert count(made([answer], signals, rules_off=["knowledge_gap"])) == {"edit_pair": 1, "edit_demonstration": 1}


def test_who_asks_for_more_certainty_has_more_to_review() -> None:
    found = gap(ASKED, ANSWER, "It is on its way from our depot in Hamburg.")
    answer, signals = an_edit(text="Your order is on its way from Hamburg.")
    assert not found["knowledge_gaps"]["doubtful"].item()
    assert made([answer], signals, sure=0.95)["knowledge_gaps"]["doubtful"].item()


def test_gaps_are_grouped_by_what_is_missing_where() -> None:
    rows: list[tuple[str, str, str, str, bool]] = [
        ("retail", "u1", "No, it left depot 4711 today", "4711", False),
        ("retail", "u2", "It is depot 4712", "4712", False),
        ("retail", "u2", "The wrong depot, 4713 is right", "4713", True),
        ("retail", "u3", "Petra Moser handles refunds", "Petra Moser", False),
        ("retail", "u3", "H4821 is the code", "H4821", False),
        ("bank", "u4", "No, 4714", "4714", False),
    ]
    columns = ["slice", "user", "said", "fact", "doubtful"]
    gaps = pl.DataFrame(rows, schema=columns, orient="row").with_row_index("id").select(
        pl.col("id").cast(pl.String), *columns, workload=pl.lit("w"), missing=pl.concat_list("fact"),
        request=pl.lit("Where is my parcel today?"), response=pl.lit("On its way."),
    )  # fmt: skip
    found = grouped(gaps)
    assert found.select("slice", "missing", "about", "gaps", "users", "doubtful").rows() == [
        ("retail", "number", "depot", 3, 2, 1),
        ("bank", "number", "parcel", 1, 1, 0),
        ("retail", "code", "code", 1, 1, 0),
        ("retail", "name", "handles", 1, 1, 0),
    ]
    assert found["facts"].to_list()[0] == ["4711", "4712", "4713"]
    assert found["said"].to_list()[1] == ["No, 4714"]
    assert grouped(gaps.sample(fraction=1, shuffle=True, seed=1)).equals(found)
    assert grouped(gaps.clear()).is_empty()
