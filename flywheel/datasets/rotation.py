"""The versions of the frozen sets: the first draw, and what comes, retires and is forgotten from cutoff to cutoff.

A set never changes: `advance` makes the next version of it, once for each cutoff, in which every item that stays is
what it was, so that the ledger's counts go on. Fresh items come from what was logged since; when they have made the set
larger by the share `rotation`, as many of the most looked at retire. Held-out users are on one side of the seal: those
of the first eval set, and every second one later, on the eval side; the others on the sealed side, until that is full.
A sealed set that was opened retires as a whole. Which exchanges become items belongs in `sampling`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import ceil

import polars as pl

from flywheel.datasets.evalset import Role, Version, checks, frozen, left_as, name, standing
from flywheel.datasets.forms import common
from flywheel.datasets.leakage import requests
from flywheel.datasets.near import repeats
from flywheel.datasets.sampling import Traffic, candidates, drawn, strata, talks, weighted
from flywheel.datasets.splits import uniform
from flywheel.errors import Terminal
from flywheel.lake import Lake
from flywheel.settings import Workload
from flywheel.tables import EvalItems, EvalSets

COLUMNS = list(EvalItems.columns())


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What all steps of one `advance` go by."""

    lake: Lake
    workload: str
    rules: Workload
    cutoff: datetime
    forget: Collection[str]

    @cached_property
    def sent(self) -> tuple[pl.DataFrame, Traffic]:
        """Read once, and only where a set may change."""
        return candidates(self.lake, self.workload, self.rules)

    @cached_property
    def pool(self) -> pl.DataFrame:
        """Exchanges that could become items and never were."""
        ever = self.lake.read("eval_sets").filter(workload=self.workload)["items"].explode().drop_nulls().unique()
        return self.sent[0].filter(~pl.col("item").is_in(ever.implode()))

    @property
    def traffic(self) -> Traffic:
        return self.sent[1]

    @cached_property
    def forms(self) -> list[str]:
        """What too many requests share: judged by the traffic of the first eval set, then for ever the same."""
        found = standing(self.lake, self.workload, "eval")
        return common(talks(self.lake, self.workload)) if found is None else found.row["forms"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the next version of a set is made of; without a `why` there is none."""

    items: pl.DataFrame
    why: str
    forgotten: Collection[str] = ()


def advance(lake: Lake, workload: str, rules: Workload, *, forget: Collection[str] = ()) -> pl.DataFrame:
    """Bring both sets to the present cutoff and give the eval set; the caller holds `lake.writing()`.

    The same cutoff again changes nothing, but for what must be forgotten: the items named, and those whose exchange is
    gone or may no longer be learned from.
    """
    standing(lake, workload, "eval")  # what was changed must stop everything before anything is tidied away
    _tidy(lake, workload)
    cutoff = lake.scan("events").filter(pl.col("workload") == workload).select(pl.col("time").max()).collect().item()
    if cutoff is None:
        raise Terminal(f"{workload} has no events yet", do="log some with flywheel.capture, then run the job ingest")
    turn = Turn(lake=lake, workload=workload, rules=rules, cutoff=cutoff, forget=forget)
    _step(turn, "eval")
    _step(turn, "sealed")
    return frozen(lake, workload, rules)


def _step(turn: Turn, role: Role) -> None:
    """The next version of one set, if there is to be one."""
    old = standing(turn.lake, turn.workload, role)
    gone = set() if old is None else _forgotten(turn, pl.concat([old.items, _retired(turn, role)]))
    kept = turn.pool.clear() if old is None else old.items.filter(~pl.col("item").is_in(gone))
    if old is not None and turn.cutoff <= old.row["cutoff"]:
        change = Change(items=kept, why="")
    elif role == "sealed":
        change = _collected(turn, kept)
    else:
        change = _first(turn) if old is None else _freshened(turn, kept, old.row["cutoff"])
    other = old is not None and old.row["checks"] != checks(turn.rules)
    told = [change.why, f"{len(gone)} forgotten" * bool(gone), "other checks" * other]
    if why := ", ".join(filter(None, told)):
        _write(turn, role, old, Change(items=change.items, why=why, forgotten=gone))


def _first(turn: Turn) -> Change:
    users, enough = turn.pool["user"].n_unique(), turn.rules.gate.min_users
    if users < enough:
        raise Terminal(
            f"no eval set is frozen for {turn.workload} yet: too few held-out users have sent an answer",
            seen=f"{users} held-out users among {sum(turn.traffic.values())} answers that were sent",
            allowed=f"at least {enough} users (gate.min_users); a smaller set could never tell two models apart",
            do="wait for more logs, or raise holdout in flywheel.toml",
        )
    items = drawn(turn.pool, turn.rules.eval_items, traffic=turn.traffic)
    return Change(items=_since(turn, items), why=f"{len(items)} drawn")


def _freshened(turn: Turn, kept: pl.DataFrame, last: datetime) -> Change:
    """Items of what was logged since; those that were looked at most make room for them."""
    rules, (held, reserved) = turn.rules, _behind_the_seal(turn)
    pool = turn.pool.filter(pl.col("time") > last, ~pl.col("user").is_in([*held, *reserved]))
    most = ceil(rules.eval_items / 8) if rules.fresh_items is None else rules.fresh_items
    fresh = drawn(_unknown(turn, pool, "eval"), most, traffic=turn.traffic, beside=kept["stratum"].to_list())
    quarter = ceil(rules.eval_items * rules.rotation)
    out = quarter if len(kept) + len(fresh) > rules.eval_items + quarter else 0
    looks = pl.col("item").replace_strict(_looks(turn), default=0, return_dtype=pl.Int64)
    staying = kept.sort(looks, "since", "item", descending=[True, False, False])[out:]
    told = [f"{len(fresh)} fresh" * bool(len(fresh)), f"{out} rotated out" * bool(out)]
    return Change(items=_joined(staying, _since(turn, fresh)), why=", ".join(filter(None, told)))


def _collected(turn: Turn, kept: pl.DataFrame) -> Change:
    """Sealed items of users who are not in the eval set, until there are enough; all go when one was opened."""
    opened = len(kept) if _opened(turn, kept) else 0
    kept = kept.clear() if opened else kept
    held, reserved = _behind_the_seal(turn)
    pool = turn.pool.filter(pl.col("user").is_in([*reserved, *([] if opened else held)]))
    missing = turn.rules.gate.sealed_items - len(kept)
    found = drawn(_unknown(turn, pool, "sealed"), missing, traffic=turn.traffic, beside=kept["stratum"].to_list())
    told = [f"{opened} opened" * bool(opened), f"{len(found)} sealed" * bool(len(found))]
    return Change(items=_joined(kept, _since(turn, found)), why=", ".join(filter(None, told)))


def _opened(turn: Turn, items: pl.DataFrame) -> bool:
    return not set(items["item"]).isdisjoint(_looks(turn, role="sealed"))


def _behind_the_seal(turn: Turn) -> tuple[set[str], set[str]]:
    """Users whose items are sealed, and those on neither side whom the sealed set may still have."""
    rows = _rows(turn.lake, turn.workload)
    sealed = rows.filter(role="sealed")
    if len(sealed) >= turn.rules.gate.sealed_items and not _opened(turn, sealed):
        return set(sealed["user"]), set()
    new = set(turn.pool["user"]) - set(rows["user"])
    return set(sealed["user"]), {user for user in new if uniform(turn.workload, user, "sealed") < 0.5}


def _unknown(turn: Turn, pool: pl.DataFrame, role: Role) -> pl.DataFrame:
    """What nearly repeats no item and nothing that a model was ever trained on, of no conversation across the seal."""
    rows = turn.lake.scan("dataset_rows").filter(pl.col("workload") == turn.workload)
    trained = rows.select("conversation", requests()).unique().collect()
    items = _rows(turn.lake, turn.workload)
    across = items.filter((pl.col("role") == "sealed") != (role == "sealed"))
    talks = [*trained["conversation"], *across["conversation"]]
    pool = pool.filter(~pl.col("conversation").is_in(talks))
    return pool.filter(~repeats(pool["request"], pl.concat([trained["request"], items["request"]]), turn.forms))


def _retired(turn: Turn, role: Role) -> pl.DataFrame:
    """What retired from this set and is kept for the bridge; who asked to be forgotten is not kept there either."""
    out = turn.lake.read("eval_sets").filter(workload=turn.workload, role=role)["retired"].explode().drop_nulls()
    return _rows(turn.lake, turn.workload).filter(pl.col("item").is_in(out.implode()))


def _forgotten(turn: Turn, items: pl.DataFrame) -> set[str]:
    """Items someone asked to be forgotten with: by name, or because their exchange is gone or must not be used."""
    of = turn.lake.scan("exchanges").filter(pl.col("workload") == turn.workload, "may_train").select("answer")
    there = of.filter(pl.col("answer").is_in(items["answer"].implode())).collect()["answer"]
    lost = items.filter(~pl.col("answer").is_in(there.implode()) | pl.col("item").is_in(list(turn.forget)))
    return set(lost["item"])


def _looks(turn: Turn, role: Role | None = None) -> dict[str, int]:
    """How often each item was looked at before this cycle, or opened."""
    before = turn.lake.read("datasets").filter(pl.col("workload") == turn.workload, pl.col("cutoff") < turn.cutoff)
    looks = turn.lake.read("looks").filter(pl.col("workload") == turn.workload, pl.col("cycle") <= len(before))
    looks = looks if role is None else looks.filter(role=role)
    return dict(looks["items"].explode().drop_nulls().value_counts().iter_rows())


def _since(turn: Turn, items: pl.DataFrame) -> pl.DataFrame:
    return items.with_columns(since=pl.lit(turn.cutoff))


def _joined(kept: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
    columns = [column for column in COLUMNS if column not in ("role", "eval_set", "weight")]
    return pl.concat([frame.select(columns) for frame in (kept, added) if len(frame)] or [added.select(columns)])


def _rows(lake: Lake, workload: str) -> pl.DataFrame:
    return lake.read("eval_items").filter(pl.col("workload") == workload)


def _write(turn: Turn, role: Role, old: Version | None, change: Change) -> None:
    """The items beside those of the version before, then the version, which makes them stand; then the old ones go."""
    items = weighted(change.items, turn.traffic).sort("item")
    eval_set = name(items, role, checks(turn.rules), turn.forms)
    items = items.with_columns(role=pl.lit(role), eval_set=pl.lit(eval_set)).select(COLUMNS)
    before = set() if old is None else set(old.row["items"])
    now = set(items["item"])
    out = sorted(before - now - set(change.forgotten))
    left = items.clear() if old is None else old.items.filter(pl.col("item").is_in(out)).sort("item")
    version = pl.DataFrame([{
        "workload": turn.workload,
        "role": role,
        "version": 1 if old is None else old.row["version"] + 1,
        "eval_set": eval_set,
        "before": None if old is None else old.row["eval_set"],
        "cutoff": turn.cutoff,
        "why": change.why,
        "items": sorted(now),
        "added": sorted(now - before),
        "retired": out,
        "left_as": left_as(left),
        "forgotten": sorted(change.forgotten),
        "checks": checks(turn.rules),
        "strata": strata(items, turn.traffic),
        "forms": turn.forms,
    }], schema=dict(EvalSets.create_empty().schema))  # fmt: skip
    turn.lake.replace("eval_items", items, {"workload": [turn.workload], "eval_set": [eval_set]})
    key = {"workload": [turn.workload], "role": [role], "version": [version["version"][0]]}
    turn.lake.replace("eval_sets", version, key)
    _tidy(turn.lake, turn.workload)


def _tidy(lake: Lake, workload: str) -> None:
    """Only what stands is left, and what retired, for the bridge; also where a write was killed half way."""
    versions, rows = lake.read("eval_sets").filter(workload=workload), _rows(lake, workload)
    latest = versions.sort("version").group_by("role").last()["eval_set"]
    retired, forgotten = (versions[column].explode().drop_nulls().implode() for column in ("retired", "forgotten"))
    stands = pl.col("eval_set").is_in(latest.implode()) & (pl.col("role") != "retired")
    out = rows.filter(~stands, pl.col("item").is_in(retired), ~pl.col("item").is_in(forgotten)).sort("eval_set")
    out = out.unique("item", keep="first").with_columns(role=pl.lit("retired", rows.schema["role"]))
    left = pl.concat([rows.filter(stands), out])
    key = ["eval_set", "item", "role"]
    if len(left) != len(rows) or len(left.join(rows, on=key, how="anti")):
        lake.replace("eval_items", left, {"workload": [workload]})
