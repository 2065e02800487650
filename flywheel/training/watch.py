"""Watches a phase while it runs: tells people how far it is, keeps its curve, stops it when a rule is broken.

What the rules are belongs in `rules`. Whatever they need is in the curve, which a killed run takes up again whole.
"""

import math
import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from flywheel.process import Report
from flywheel.settings import Recipe
from flywheel.training.answers import Answers
from flywheel.training.chip import chip_share, memory_gb
from flywheel.training.development import Development
from flywheel.training.rules import require_sound
from flywheel.training.tracking import Track

TOLD = 10  # lines of progress for people, of a curve that has more points
EARLY = 10  # the development pairs are asked once after one in so many steps

# What is kept of TRL's log lines, by our names.
KEPT = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient",
    "mean_token_accuracy": "token_accuracy",
    "entropy": "entropy",
    "rewards/accuracies": "accuracy",
    "rewards/margins": "margin",
    "rewards/chosen": "chosen_reward",
    "logps/chosen": "chosen_log_probability",
    "num_tokens": "tokens",
}


class Watch(TrainerCallback):
    """Of one phase."""

    def __init__(
        self,
        phase: str,
        *,
        rows: int,
        epochs: float,
        recipe: Recipe,
        development: Development,
        answers: Answers,
        history: list[dict[str, Any]],
        report: Report,
        track: Track,
    ) -> None:
        self.phase, self.recipe, self.seen_in_all = phase, recipe, rows * epochs
        self.development, self.answers = development, answers
        self.history, self.report, self.track = history, report, track
        self.began, self.first, self.tokens = 0.0, 0, 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        if not any("answers" in point for point in self.history):
            self._ask(state, model)
        tokens = [point["tokens"] for point in self.history if point["phase"] == self.phase and "tokens" in point]
        self.began, self.first, self.tokens = time.monotonic(), state.global_step, max(tokens, default=0.0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        paired = self.development.enough and self.development.kind == "pairs"
        if paired and state.max_steps >= EARLY and state.global_step == math.ceil(state.max_steps / EARLY):
            told = self.development.measured(model).told()
            self._note(state, {f"early/{name.split('/')[1]}": value for name, value in told.items()})

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        self._ask(state, model)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        model: Any = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs:  # the trainer's closing summary
            return
        point = {ours: float(logs[theirs]) for theirs, ours in KEPT.items() if theirs in logs}
        pace = self._pace(state, point.get("tokens"), model)
        self.track.log({f"{self.phase}/{name}": value for name, value in (point | pace).items()}, state.global_step)
        self._tell(state, point["loss"], pace)
        self._note(state, point)

    def _note(self, state: TrainerState, point: dict[str, Any]) -> None:
        self.history.append({"phase": self.phase, "step": state.global_step, **point})
        require_sound(self.history, self.phase, self.recipe)

    def _ask(self, state: TrainerState, model: Any) -> None:
        """A few answers, at the start of the training and after each epoch; a reward model gives none."""
        known = [point["answers/lengths"] for point in self.history if "answers/lengths" in point]
        if not self.answers.enough or self.recipe.watching.longer is None or self.phase == "reward":
            return
        now = self.answers.lengths(model)
        told = self.answers.told(now, known[0] if known else now)
        self.track.log({f"{self.phase}/{name}": value for name, value in told.items()}, state.global_step)
        self._note(state, told | ({} if known else {"answers/lengths": now}))

    def _pace(self, state: TrainerState, tokens: float | None, model: Any) -> dict[str, float]:
        """How fast it is, of what this process has done, and what of the machine it takes."""
        steps, spent = state.global_step - self.first, max(time.monotonic() - self.began, 1e-9)
        told = {
            "records_per_second": steps / state.max_steps * self.seen_in_all / spent,
            "seconds_left": spent * (state.max_steps - state.global_step) / max(steps, 1),
            "memory_gb": memory_gb(),
        }
        if tokens is not None:
            told["tokens_per_second"] = (tokens - self.tokens) / spent
            told |= chip_share(model, self.phase, told["tokens_per_second"], lora=self.recipe.lora is not None)
        return told

    def _tell(self, state: TrainerState, loss: float, pace: dict[str, float]) -> None:
        if state.global_step % math.ceil(state.max_steps / TOLD) and state.global_step < state.max_steps:
            return
        self.report(self.phase, step=state.global_step, of=state.max_steps, loss=loss, **pace)
