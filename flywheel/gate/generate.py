"""Answers of one model to the eval items, in a process of its own; scoring them belongs to the scorers.

The model is asked by the best way at hand (`engines`); one that cannot be used says so, and the next goes on with what
is still to be answered. Answers are kept as they come (`kept`), so that a killed run goes on where it was.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flywheel.checkpoint import endpoint, fingerprint, is_endpoint
from flywheel.gate.engines import Questions, Unusable, engines
from flywheel.gate.kept import Kept, key
from flywheel.gate.spending import A_TOKEN, Spending, counted
from flywheel.process import Job, Report, Result


def generate(job: Job, report: Report) -> Result:
    """One answer to each item; an item's draws are its own, and the same for every model."""
    work = _Work(job, report)
    ways = engines(work.folder, work.decoding["temperature"])
    used = ""
    while ways and (left := work.left()):
        work.require_budget()
        used, engine = ways.pop(0)
        report(used, done=len(work.answered), of=len(job["items"]))
        try:
            for found in engine(work.folder, work.questions(left)):
                work.keep(left, found)
        except Unusable as reason:
            report(f"not by {used}: {reason}")
    if refused := len(work.left()):
        work.require_budget()  # else what is left was refused, and stays a hole
        report(
            f"{refused} refused by the endpoint, which answered others", done=len(work.answered), of=len(job["items"])
        )
    return {"fingerprint": work.model, "answered": len(work.answered), "by": used}


class _Work:
    """One job under way: what is answered, what is left, what it has cost."""

    def __init__(self, job: Job, report: Report) -> None:
        self.job, self.report = job, report
        self.folder, self.kept = Path(job["model"]), Kept(Path(job["kept"]))
        self.model, self.decoding = fingerprint(self.folder), job["decoding"]
        self.endpoint = endpoint(self.folder) if is_endpoint(self.folder) else None
        self.spending = Spending(**job["spending"])
        settings = json.dumps(self.decoding, sort_keys=True)
        self.keys = {each["item"]: key(self.model, each["item"], each["prompt"], settings) for each in job["items"]}
        self.characters: dict[str, int] = {}
        self.answered = {row["key"] for row in self.kept.read("answer")} & set(self.keys.values())

    def left(self) -> list[dict[str, str]]:
        return [item for item in self.job["items"] if self.keys[item["item"]] not in self.answered]

    def require_budget(self) -> None:
        done, of = len(self.answered), len(self.job["items"])
        self.spending.require(endpoint=self.endpoint is not None, done=done, of=of)

    def questions(self, left: list[dict[str, str]]) -> Questions:
        def sending(number: int, text: str) -> None:
            item, digest = left[number]["item"], hashlib.sha256(text.encode()).hexdigest()[:32]
            self.characters[item] = len(text)
            self.kept.add("sending", {"item": item, "digest": digest, "characters": len(text)})

        return Questions(
            items=[item["item"] for item in left],
            prompts=[json.loads(item["prompt"]) for item in left],
            decoding=self.decoding,
            going_on=lambda: self.spending.has_left(endpoint=self.endpoint is not None),
            sending=sending,
            answered=bool(self.answered) or self.job.get("others", False),
        )

    def keep(self, left: list[dict[str, str]], found: Mapping[int, Any]) -> None:
        """Write down what was answered before anything else happens, then what it cost."""
        rows = [{"item": left[number]["item"], **said._asdict()} for number, said in found.items()]
        self.kept.add("answer", *({"key": self.keys[row["item"]], **row} for row in rows))
        self.answered |= {self.keys[row["item"]] for row in rows}
        for row in rows:
            if self.endpoint:
                self.spending.add(tokens=counted(row) or self.characters[row["item"]] // A_TOKEN)
            else:
                self.spending.add(seconds=row["seconds"])
        self._tell(len(self.answered) - len(rows))

    def _tell(self, before: int) -> None:
        """A line for each twentieth of the work, however few answers come at a time."""
        done, of = len(self.answered), len(self.job["items"])
        part = max(1, of // 20)
        if done == of or done // part != before // part:
            self.report("answers", done=done, of=of)
