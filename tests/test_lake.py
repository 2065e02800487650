"""Tables as they are written and read: what was put aside takes the place of old rows, and a null is a null."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from flywheel.lake import Lake
from flywheel.lake.patch import MANY
from flywheel.tables import Touched
from tests.product import MONDAY, answer, rated, take

DAYS = [date(2026, 1, 5), date(2026, 1, 6)]


def labels(day: date, *ids: str, unit: str = "conversation talk", prompt: str = "?") -> pl.DataFrame:
    row = {"workload": "drafts", "unit": unit, "day": day, "conversation": "talk", "user": "u", "slice": "all"}
    row |= {"model_version": None, "prompt": prompt, "weight": 1.0, "confidence": 0.5, "rule": "rating_label"}
    row |= {"rule_version": 1, "event_ids": ["k"], "response": "Yes.", "desirable": True}
    return pl.DataFrame([row | {"id": id} for id in ids])


def publish(lake: Lake, aside: Path, *frames: pl.DataFrame, **what: object) -> list[tuple[date, str, str]]:
    for frame in frames:
        lake.stage("labels", frame, aside)
    lake.publish("labels", aside, **what)  # pyright: ignore[reportArgumentType]
    return lake.read("labels").select("day", "id", "unit").sort("id").rows()


def test_one_value_beside_nulls_is_not_read_as_null(tmp_path: Path) -> None:
    """Arrow's statistics of such a column would lead DuckDB astray."""
    lake = take(tmp_path, [answer("a"), rated("a", 1, 1)])
    assert lake.sql("SELECT kind FROM events WHERE answer IS NULL")["kind"].to_list() == ["response"]
    assert lake.sql("SELECT answer FROM events WHERE kind = 'rated' AND answer IS NULL").is_empty()


def test_files_tell_which_times_they_span_and_which_are_new(tmp_path: Path) -> None:
    lake = take(tmp_path, [answer("a"), answer("b", 5)])
    first = lake.files("events").row(0, named=True)
    assert (first["rows"], first["low"], (first["high"] - first["low"]).seconds) == (2, MONDAY, 300)
    before = lake.version("events")
    assert lake.files("events", since=before).is_empty()
    take(tmp_path, [answer("c", 9)])
    assert lake.files("events", since=before)["rows"].to_list() == [1]


@pytest.mark.parametrize("days", [None, DAYS])
def test_rows_put_aside_take_the_place_of_all_or_of_their_days(tmp_path: Path, days: list[date] | None) -> None:
    lake = Lake(tmp_path)
    publish(lake, tmp_path / "1", labels(DAYS[0], "a"), labels(DAYS[1], "b"))
    found = publish(lake, tmp_path / "2", labels(DAYS[0], "c"), days=days)
    assert [id for _, id, _ in found] == ["c"]
    assert [id for _, id, _ in publish(lake, tmp_path / "3", labels(DAYS[1], "d"), days=[DAYS[1]])] == ["c", "d"]


def test_only_the_rows_of_what_is_gone_are_exchanged_whichever_day_they_move_to(tmp_path: Path) -> None:
    lake, stays, goes = Lake(tmp_path), "conversation stays", "conversation goes"
    publish(lake, tmp_path / "1", labels(DAYS[0], "a", unit=stays), labels(DAYS[0], "b", unit=goes))
    gone = pl.DataFrame({"workload": ["drafts"], "unit": [goes]})
    found = publish(lake, tmp_path / "2", labels(DAYS[1], "c", unit=goes), days=DAYS[:1], gone=gone)
    assert found == [(DAYS[0], "a", stays), (DAYS[1], "c", goes)]
    assert publish(lake, tmp_path / "3", days=DAYS, gone=gone) == [(DAYS[0], "a", stays)]


def test_a_table_that_stays_small_is_exchanged_whole(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for batch in (1, 2):
        lake.overwrite(
            "touched", Touched.create_empty().vstack(pl.DataFrame({"batch": [batch], "workload": ["w"], "unit": ["u"]}))
        )
    assert lake.read("touched")["batch"].to_list() == [2]


def test_a_query_beyond_its_memory_goes_on_in_files_and_leaves_none(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "home")
    with lake.session(memory="60MB") as connection:
        texts = "SELECT n, md5(n::VARCHAR) || md5((n + 1)::VARCHAR) AS text FROM range(1500000) AS t(n)"
        connection.execute(f"CREATE TEMP TABLE held AS {texts}")
        assert connection.sql("SELECT count(DISTINCT n) FROM held").fetchall() == [(1_500_000,)]
        assert [file for file in (tmp_path / "home" / "spill").rglob("*") if file.is_file()]
    assert not list((tmp_path / "home" / "spill").iterdir())


def units(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"workload": "drafts", "unit": names})


def test_only_a_file_of_which_a_row_goes_is_written_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    both = pl.concat([labels(DAYS[0], "a", unit="one"), labels(DAYS[0], "b", unit="two")])
    publish(lake, tmp_path / "1", both, labels(DAYS[0], "c", unit="two"))
    before = set(lake.files("labels")["file"])
    found = publish(lake, tmp_path / "2", labels(DAYS[0], "d", unit="one"), gone=units("one"))
    assert found == [(DAYS[0], "b", "two"), (DAYS[0], "c", "two"), (DAYS[0], "d", "one")]
    assert len(before & set(lake.files("labels")["file"])) == 1


def test_the_small_files_of_a_crowded_day_become_one(tmp_path: Path) -> None:
    lake, names = Lake(tmp_path), [f"unit-{number:02}" for number in range(MANY + 1)]
    for name in names:
        publish(lake, tmp_path / name, labels(DAYS[0], name, unit=name), gone=units(name))
    assert len(lake.files("labels")) == MANY + 1
    found = publish(lake, tmp_path / "again", labels(DAYS[0], names[0], unit=names[0]), gone=units(names[0]))
    assert [id for _, id, _ in found] == names
    assert len(lake.files("labels")) == 2


def test_rows_are_picked_by_key_and_day(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = [labels(DAYS[0], "a", "b", unit="one"), labels(DAYS[0], "c", unit="two"), labels(DAYS[1], "d", unit="one")]
    publish(lake, tmp_path / "1", *rows)
    keys = pl.DataFrame({"workload": ["drafts", "notes"], "unit": ["one", "two"]})
    assert sorted(lake.pick("labels", keys, *DAYS)["id"]) == ["a", "b", "d"]
    assert sorted(lake.pick("labels", keys, DAYS[0], DAYS[0])["id"]) == ["a", "b"]
    assert lake.pick("labels", keys.with_columns(unit=pl.lit("three")), *DAYS).is_empty()
