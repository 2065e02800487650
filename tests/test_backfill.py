"""Work of before, as if it had been logged: the wheel has records and eval items on day one."""

import csv
from pathlib import Path

import polars as pl

from flywheel.datasets import cut
from flywheel.lake import Lake
from flywheel.settings import Gate, Workload
from tests.test_cli import flywheel, told

SETTINGS = """
start = 2026-01-05
sources = []

[workloads.tickets]
base_model = "none"
holdout = 0.4

[workloads.tickets.gate]
min_users = 5
"""
ROWS = 60


def tickets(path: Path, first: int = 0) -> Path:
    """A help desk's export: what was asked, what a macro suggested, what the agent sent."""
    with path.open("w") as file:
        out = csv.writer(file)
        out.writerow(["no", "agent", "asked on", "customer wrote", "macro", "sent out"])
        for number in range(first, first + ROWS):
            sent = f"Your refund for order {number} is on its way and will arrive within three working days."
            macro = sent if number % 4 == 0 else f"We are sorry. {sent} Please contact us again if you need more help."
            day = f"2026-01-{6 + number % 20:02}T10:{number % 60:02}:00Z"
            out.writerow([number, f"agent {number % 30}", day, f"Where is the money for order {number}?", macro, sent])
    return path


def test_tickets_become_pairs_demonstrations_and_an_eval_set(tmp_path: Path) -> None:
    (tmp_path / "flywheel.toml").write_text(SETTINGS)
    columns = ["--question", "customer wrote", "--draft", "macro", "--final", "sent out", "--user", "agent"]
    options = ["--workload", "tickets", *columns, "--at", "asked on", "--id", "no"]
    first = told(tmp_path, "backfill", tickets(tmp_path / "tickets.csv"), *options)
    assert (first["records"], first["accepted"], first["quarantined"]) == (ROWS, ROWS, 0)
    assert first["by_type"] == {"response": ROWS, "edited": 45, "accepted": ROWS}
    again = told(tmp_path, "backfill", tmp_path / "tickets.csv", *options)
    assert (again["accepted"], again["events"]) == (0, 0)
    made = told(tmp_path, "derive")
    assert (made["records"]["pairs"], made["records"]["demonstrations"]) == (45, 45)
    exchanges = Lake(tmp_path / "home").read("exchanges")
    assert exchanges["final"].null_count() == 0
    assert exchanges["user"].n_unique() == 30


def test_history_is_cut_exported_and_told_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "flywheel.toml").write_text(SETTINGS)
    columns = ["--question", "customer wrote", "--draft", "macro", "--final", "sent out", "--user", "agent"]
    options = ["--workload", "tickets", *columns, "--at", "asked on"]
    told(tmp_path, "backfill", tickets(tmp_path / "tickets.csv"), *options)
    told(tmp_path, "derive")
    lake = Lake(tmp_path / "home")
    made = cut(lake, "tickets", Workload(base_model="none", holdout=0.4, gate=Gate(min_users=5)))
    card = told(tmp_path, "card", "tickets")
    assert card["hashes"]["eval_set"] == made.items["eval_set"][0]
    for format in ("trl-sft", "trl-dpo", "trl-kto", "jsonl"):
        out = told(tmp_path, "export", "tickets", "--format", format, "--out", tmp_path / format)
        assert out["lines"] == {f"{split}.jsonl": counts[format] for split, counts in card["exports"].items()}
        assert out["texts"].startswith("as people wrote them"), "no tokenizer is at hand"
    shown = told(tmp_path, "eval-set", "show", "tickets")["sets"]
    assert [(one["role"], one["items"]) for one in shown if one["role"] == "eval"] == [("eval", len(made.items))]
    gone = made.items["item"][0]
    stranger = flywheel(tmp_path, "eval-set", "forget", "tickets", "nobody")
    assert (stranger.returncode, b"no such item" in stranger.stderr) == (2, True)
    left = told(tmp_path, "eval-set", "forget", "tickets", gone)
    assert left["items"] == len(made.items) - 1
    assert gone not in lake.read("eval_items")["item"]
    user = made.items["user"][0]
    assert left["still_held"]["exchanges"] == len(lake.read("exchanges").filter(user=user))
    assert "may_train = false" in left["do"]
    told(tmp_path, "backfill", tickets(tmp_path / "more.csv", first=ROWS), *options)
    late = flywheel(tmp_path, "eval-set", "forget", "tickets", made.items["item"][1])
    assert late.returncode != 0
    assert b"not derived yet" in late.stderr
    assert made.items["item"][1] in lake.read("eval_items")["item"]


def test_a_final_text_without_a_draft_is_the_answer(tmp_path: Path) -> None:
    (tmp_path / "flywheel.toml").write_text(SETTINGS)
    path = tmp_path / "faq.jsonl"
    path.write_text('{"question": "How?", "draft": "?", "said": "So."}\n')
    told(tmp_path, "backfill", path, "--workload", "tickets", "--final", "said", "--day", "2026-02-03")
    told(tmp_path, "derive")
    row = Lake(tmp_path / "home").read("exchanges").row(0, named=True)
    assert (row["request"], row["response"], row["final"], str(row["day"])) == ("How?", "So.", "So.", "2026-02-03")


def test_work_without_drafts_trains_too(tmp_path: Path) -> None:
    (tmp_path / "flywheel.toml").write_text(SETTINGS)
    columns = ["--question", "customer wrote", "--final", "sent out", "--user", "agent", "--at", "asked on"]
    told(tmp_path, "backfill", tickets(tmp_path / "tickets.csv"), "--workload", "tickets", *columns)
    assert told(tmp_path, "derive")["records"]["demonstrations"] == ROWS
    rules = Workload(base_model="none", holdout=0.4, gate=Gate(min_users=5))
    made = cut(Lake(tmp_path / "home"), "tickets", rules)
    assert set(made.rows["rule"]) == {"written_demonstration"}
    assert made.rows["chosen"].str.starts_with("Your refund for order").all()
    assert len(made.items) > 0


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "flywheel.toml").write_text(SETTINGS)
    path = tickets(tmp_path / "tickets.csv")
    for options, says in (
        (["--workload", "nobody"], "no such workload"),
        (["--workload", "tickets", "--day", "tomorrow"], "not a day"),
    ):
        ended = flywheel(tmp_path, "backfill", path, *options)
        assert ended.returncode == 2
        assert says in ended.stderr.decode()
        assert b"Traceback" not in ended.stderr
    lost = told(tmp_path, "backfill", path, "--workload", "tickets")
    assert lost["quarantined"] == ROWS  # no column is a question by name
    assert Lake(tmp_path / "home").read("events").filter(pl.col("workload") == "tickets").is_empty()
