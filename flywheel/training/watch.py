"""Watches a phase while it runs: tells people how far it is, keeps its curve, stops it when it goes wrong."""

import math
import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from flywheel.errors import TrainingFailed
from flywheel.process import Report
from flywheel.training.tracking import Track

TOLD = 10  # lines of progress for people, of a curve that has more points

# What is kept of TRL's log lines, by our names.
KEPT = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient",
    "mean_token_accuracy": "token_accuracy",
    "rewards/accuracies": "accuracy",
    "rewards/margins": "margin",
}


class Watch(TrainerCallback):
    """Of one phase."""

    def __init__(
        self, phase: str, *, rows: int, epochs: float, history: list[dict[str, Any]], report: Report, track: Track
    ) -> None:
        self.phase, self.seen_in_all = phase, rows * epochs
        self.history, self.report, self.track = history, report, track
        self.began = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs:  # the trainer's closing summary
            return
        point = {ours: float(logs[theirs]) for theirs, ours in KEPT.items() if theirs in logs}
        self._require_finite(state.global_step, point)
        self.history.append({"phase": self.phase, "step": state.global_step, **point})
        self.track.log({f"{self.phase}/{name}": value for name, value in point.items()}, state.global_step)
        self._tell(state, point["loss"])

    def _tell(self, state: TrainerState, loss: float) -> None:
        if state.global_step % math.ceil(state.max_steps / TOLD) and state.global_step < state.max_steps:
            return
        done = state.global_step / state.max_steps
        spent = max(time.monotonic() - self.began, 1e-9)
        self.report(
            self.phase,
            step=state.global_step,
            of=state.max_steps,
            loss=loss,
            records_per_second=done * self.seen_in_all / spent,
            seconds_left=spent * (1 - done) / done,
        )

    def _require_finite(self, step: int, point: dict[str, float]) -> None:
        for name in ("loss", "gradient"):
            if not math.isfinite(point.get(name, 0.0)):
                raise TrainingFailed(
                    f"the {name} of {self.phase} is not a number at step {step}",
                    seen=f"{point[name]} at learning rate {point['learning_rate']:.3g}",
                    do=f"lower the recipe's {self.phase}.learning_rate",
                )
