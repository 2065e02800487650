"""The whole gate as pure functions: scores of two models in; a verdict, its look and what people want to see out.

    look = look_at(...)                  write look.row, before anything is compared
    judged = judge(...)                  nothing is promoted while `judged.opens` names sealed items:
    confirmed(judged, ...)               write judged.opening, score those items, and let them confirm

Nothing is read or written here: the caller keeps the tables. The rule itself is in `decide`, the numbers in `compare`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any

import polars as pl

from flywheel.gate import ledger
from flywheel.gate.compare import Comparison, by_slice, compare
from flywheel.gate.decide import Decision, Evidence, Guard, confirm, decide
from flywheel.gate.forgetting import Forgetting
from flywheel.gate.ledger import Look
from flywheel.gate.pairing import Pairing, Scored, Trial, of_role, pair
from flywheel.lake import validated
from flywheel.settings import Gate
from flywheel.tables import Looks

SAME = "the candidate is the champion itself: nothing to compare, no look spent"
# Of the intervals of guards and of the sealed set: each side of them is wrong as often.
BESIDE_ALPHA = 0.025
NUMBERS = ("gain", "low", "high", "level", "candidate_score", "champion_score")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One row for `verdicts`, one for `looks` if a look was spent and not yet written, and what people want to see.

    `opens` are the sealed items that have to confirm a candidate that has won, `opening` their row for `looks`; until
    they did, the verdict is hold.
    """

    verdict: pl.DataFrame
    look: pl.DataFrame
    scores: pl.DataFrame
    slices: pl.DataFrame
    decision: Decision | None = None
    opens: tuple[str, ...] = ()
    opening: pl.DataFrame = field(default_factory=Looks.create_empty)

    @classmethod
    def of(cls, verdict: pl.DataFrame) -> "Judged":
        """A verdict given earlier, its look long written down."""
        nothing = pl.DataFrame()
        return cls(verdict=verdict, look=Looks.create_empty(), scores=nothing, slices=nothing)

    def because(self, reason: str) -> "Judged":
        """The same verdict with a reason that lies before the gate, such as a training that had too few records."""
        reasons = pl.concat_list(pl.lit(reason), "reasons")
        return replace(self, verdict=self.verdict.with_columns(reason=pl.lit(reason), reasons=reasons))


def look_at(
    *,
    items: pl.DataFrame,
    primary: Scored,
    trial: Trial,
    looks: pl.DataFrame,
    verdicts: pl.DataFrame,
    gate: Gate,
    broken: Sequence[str] = (),
) -> Look | None:
    """The look to write down before anything is compared; None where nothing will be."""
    asked, eval_set = of_role(items, "eval", trial.workload)
    pairing = pair(asked, primary, gate)
    if broken or _ground(trial, looks, verdicts) or not pairing.comparable:
        return None
    return _look(trial, eval_set, pairing, looks, gate)


def judge(
    *,
    items: pl.DataFrame,
    primary: Scored,
    trial: Trial,
    looks: pl.DataFrame,
    verdicts: pl.DataFrame,
    faults: Sequence[str],
    gate: Gate,
    guards: Mapping[str, Scored] | None = None,
    forgetting: Forgetting | None = None,
    broken: Sequence[str] = (),
) -> Judged:
    """Is the candidate better than the champion? `broken` is what the caller knows to be wrong with the evidence."""
    asked, eval_set = of_role(items, "eval", trial.workload)
    pairing = pair(asked, primary, gate)
    ground = (*broken, *_ground(trial, looks, verdicts), *pairing.broken)
    look = found = None
    if not ground and pairing.comparable:
        look = _look(trial, eval_set, pairing, looks, gate)
        found = compare(pairing.pairs, alpha=look.alpha)
    looked = pairing.pairs if found else pairing.pairs.clear()
    slices = by_slice(looked, tested_from=gate.slice_items, slope=found.slope if found else 0.0)
    evidence = Evidence(
        broken=(*ground, *_missing(gate, guards or {}, forgetting)) if found else ground,
        faults=faults,
        found=found,
        asked=pairing.asked,
        holes=pairing.holes,
        look=look.look if look else 0,
        slices=slices,
        guards=_guards(asked, guards or {}, gate) if found else (),
        forgetting=forgetting,
        notes=pairing.notes,
    )
    decision = decide(evidence, gate)
    after = looks if look is None or not look.is_new else pl.concat([looks, look.row])
    decision, opens, opening = _sealed(decision, items, trial, after, gate)
    row = _row(trial, eval_set, pairing, decision, evidence)
    row["details"] = json.dumps(_details(evidence, look, slices, gate, opens))
    return Judged(
        verdict=_one("verdicts", _opened(row) if opens else row),
        look=look.row if look else Looks.create_empty(),
        scores=looked,
        slices=slices,
        decision=decision,
        opens=opens,
        opening=opening,
    )


def confirmed(
    judged: Judged, *, items: pl.DataFrame, scored: Scored, looks: pl.DataFrame, faults: Sequence[str], gate: Gate
) -> Judged:
    """The verdict after its sealed items were scored; their opening must be in the ledger by then."""
    if judged.decision is None or not judged.opens:
        return judged
    row = judged.verdict.row(0, named=True)
    sealed, _ = of_role(items.filter(pl.col("item").is_in(judged.opens)), "sealed", row["workload"])
    pairing = pair(sealed, scored, gate)
    own = looks.filter(workload=row["workload"], role="sealed", candidate=row["candidate"], champion=row["champion"])
    written = any(set(judged.opens) == set(opened) for opened in own["items"])
    wrong = (*pairing.broken, *(() if written else ("their opening is not in the ledger of looks",)))
    found = None if wrong else compare(pairing.pairs, alpha=BESIDE_ALPHA)
    decision = confirm(judged.decision, found, holes=pairing.holes, faults=(*wrong, *faults))
    told = json.loads(row["details"])
    told["sealed"] |= {"opened": True, "holes": pairing.holes, **_numbers(found)}
    row |= _words(decision) | {"details": json.dumps(told)}
    return replace(judged, verdict=_one("verdicts", row), decision=decision, opens=(), opening=Looks.create_empty())


def plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON, which knows no infinity."""
    return {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in told.items()}


def shown(slices: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Slices by name, for JSON."""
    return {row.pop("slice"): plain(row) for row in slices.iter_rows(named=True)}


def _ground(trial: Trial, looks: pl.DataFrame, verdicts: pl.DataFrame) -> list[str]:
    if trial.candidate == trial.champion:
        return [SAME]
    return ledger.broken(looks, verdicts, workload=trial.workload)


def _look(trial: Trial, eval_set: str, pairing: Pairing, looks: pl.DataFrame, gate: Gate) -> Look:
    return ledger.next_look(
        looks,
        workload=trial.workload,
        eval_set=eval_set,
        candidate=trial.candidate,
        champion=trial.champion,
        cycle=trial.cycle,
        items=pairing.pairs["item"].to_list(),
        alpha=gate.alpha,
        terms=_terms(gate, eval_set),
    )


def _terms(gate: Gate, eval_set: str) -> str:
    """How answers were asked for and scored; the name of the eval set stands for its checks. The rest of the policy
    judges the same numbers.
    """
    scorer = [each.model_dump(exclude={"margin"}) for each in gate.scorers if each.name == gate.primary]
    told = [gate.temperature, gate.max_new_tokens, gate.primary, scorer, eval_set]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _missing(gate: Gate, guards: Mapping[str, Scored], forgetting: Forgetting | None) -> list[str]:
    """What the policy asks for and nobody brought."""
    wanted = [scorer.name for scorer in gate.scorers if scorer.margin is not None and scorer.name != gate.primary]
    missing = [f"guard {name} has no scores: run it and judge again" for name in wanted if name not in guards]
    if gate.capability and forgetting is None:
        missing.append("the capability set was not asked: what was forgotten is unknown")
    return missing


def _guards(asked: pl.DataFrame, guards: Mapping[str, Scored], gate: Gate) -> list[Guard]:
    margins = {scorer.name: scorer.margin for scorer in gate.scorers if scorer.margin is not None}
    found = []
    for name in sorted(margins.keys() & guards.keys() - {gate.primary}):
        told = asked.filter(pl.col("item").is_in(guards[name].candidate["item"].implode()))
        pairing = pair(told, guards[name], gate)  # `preference` has nothing to say of some items: no holes
        broken = (*pairing.broken, *guards[name].doubts)
        seen = None if broken else compare(pairing.pairs, alpha=BESIDE_ALPHA)
        found.append(Guard(name, margins[name], seen, pairing.holes, broken))
    return found


def _sealed(
    decision: Decision, items: pl.DataFrame, trial: Trial, looks: pl.DataFrame, gate: Gate
) -> tuple[Decision, tuple[str, ...], pl.DataFrame]:
    """What a winner has to open, and its row for `looks`; or the word that there is nothing to open."""
    nothing = (), Looks.create_empty()
    if decision.verdict != "promote":
        return decision, *nothing
    who = {"workload": trial.workload, "candidate": trial.candidate}
    opens = ledger.still_sealed(items, looks, **who, most=gate.sealed_items)
    if not opens:
        note = f"no sealed set confirms it: fewer than {gate.sealed_items} sealed items are unopened"
        note = note if gate.sealed_items else "no sealed set confirms it: the policy asks for none"
        return replace(decision, reasons=(*decision.reasons, note)), *nothing
    _, eval_set = of_role(items, "sealed", trial.workload)
    named = {"eval_set": eval_set, "champion": trial.champion, "cycle": trial.cycle}
    return decision, tuple(opens), ledger.opening(looks, **who, **named, items=opens).row


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    """A winner whose sealed items nobody has scored yet is held."""
    reason = "it won on the eval set; the sealed set is still to be opened"
    return row | {"verdict": "hold", "reason": reason, "reasons": [reason, *row["reasons"]]}


def _row(trial: Trial, eval_set: str, pairing: Pairing, decision: Decision, evidence: Evidence) -> dict[str, Any]:
    numbers = plain({name: getattr(evidence.found, name, None) for name in NUMBERS})
    counts = {"items": len(pairing.pairs), "users": pairing.pairs["user"].n_unique(), "look": evidence.look}
    return {**asdict(trial), "eval_set": eval_set, **numbers, **counts, **_words(decision)}


def _words(decision: Decision) -> dict[str, Any]:
    return {**asdict(decision), "reasons": list(decision.reasons)}


def _details(
    evidence: Evidence, look: Look | None, slices: pl.DataFrame, gate: Gate, opens: Sequence[str]
) -> dict[str, Any]:
    """What the verdict's page shows beside its reasons; `costs` is the caller's."""
    found = evidence.found
    spent = {"look": look.look, "alpha": look.alpha, "left": look.left, "digest": look.digest} if look else None
    guards = {
        guard.name: {
            "margin": guard.margin,
            "holes": guard.holes,
            **(plain(asdict(guard.found)) if guard.found else {}),
        }
        for guard in evidence.guards
    }
    return {
        "slices": shown(slices),
        "guards": guards,
        "forgetting": evidence.forgetting._asdict() if evidence.forgetting else None,
        "sealed": {"opened": False, "asked": len(opens), "wanted": gate.sealed_items},
        "costs": None,
        "spent": spent,
        "control": plain({"raw": found.raw, "slope": found.slope}) if found else None,
    }


def _numbers(found: Comparison | None) -> dict[str, Any]:
    return plain(asdict(found)) if found else {}


def _one(table: str, row: Mapping[str, Any]) -> pl.DataFrame:
    overrides = {"reasons": pl.List(pl.String), "n_needed": pl.Int64}
    return validated(table, pl.DataFrame([row], schema_overrides=overrides))
