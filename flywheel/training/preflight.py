"""Before a training: what it will learn from, token by token, and what it will cost; too dear a run does not start.

Each phase is tried on its longest rows by its own code (`trial`). From the seconds of that step and the tokens of all
rows follows how long the whole will take; measuring and saving between epochs are not in it.
"""

import gc
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from flywheel.errors import TrainingFailed
from flywheel.process import Report
from flywheel.settings import Recipe
from flywheel.training.resuming import LEAST
from flywheel.training.rows import Row
from flywheel.training.trainer import ON_GPU, Coder
from flywheel.training.trial import Planned, Tried, tried

SHOWN = 400
"""Tokens of the conversation that people see."""
ENDS = ("completion", "chosen", "rejected")


def preflight(
    planned: Sequence[Planned], start: Path, recipe: Recipe, *, coder: Coder, ranks: int, report: Report
) -> dict[str, Any]:
    """What is ahead: `conversation` as pairs of a token's text and whether it is learned, and each phase's cost."""
    report("preflight: two steps on the longest rows of each phase, thrown away")
    conversation, phases = [], []
    for one in planned:
        lengths = [coder.tokens(row) * _sides(row) for row in one.rows]
        rows, found = _fitting(one, _chosen(one, lengths), start, recipe, coder)
        conversation = conversation or seen(found.batch, coder)
        phases.append(cost(one, lengths, tried_tokens=len(rows) * max(lengths), found=found))
        gc.collect()
        torch.cuda.empty_cache()
    minutes = sum(phase["minutes"] for phase in phases)
    told = {"minutes": minutes, "gpu_minutes": minutes * ranks if ON_GPU else 0.0, "memory_gb": _most(phases)}
    report("preflight", **told)
    return {**told, "memory_of_gb": _memory_of_gb(), "phases": phases, "conversation": conversation[:SHOWN]}


def cost(planned: Planned, lengths: Sequence[int], *, tried_tokens: int, found: Tried) -> dict[str, Any]:
    """Of a phase, by the tokens of its batches: rows of a batch are as long as the longest of them."""
    order = random.Random(0).sample(lengths, len(lengths))
    batches = [order[first : first + planned.step.batch] for first in range(0, len(order), planned.step.batch)]
    padded = sum(len(some) * max(some) for some in batches)
    seconds = found.seconds * planned.step.epochs * padded / tried_tokens
    return {
        "phase": planned.phase,
        "rows": len(lengths),
        "steps": max(1, round(planned.step.epochs * len(lengths) / planned.step.batch)),
        "longest": max(lengths),
        "tokens": round(sum(lengths) * planned.step.epochs),
        "seconds_of_longest": found.seconds,
        "memory_gb": found.memory_gb,
        "minutes": seconds / 60,
    }


def seen(batch: dict[str, Any], coder: Coder) -> list[tuple[str, bool]]:
    """The shortest conversation of a batch whose answer is to be said, as the loss sees it; its end must be learned."""
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    row = min(_liked(batch), key=lambda place: lengths[place])
    there = batch["attention_mask"][row].bool()
    tokens = batch["input_ids"][row][there].tolist()
    learned = _learned(batch, row)[there].tolist()
    if any(learned):
        coder.require_stop({"said": [[token for token, by in zip(tokens, learned, strict=True) if by]]}, "said")
    return [(coder.tokenizer.decode([token]), by) for token, by in zip(tokens, learned, strict=True)]


def _liked(batch: dict[str, Any]) -> list[int]:
    """Neither rejected sides, the second half of pairs, nor answers that nobody liked, where there are others."""
    every = list(range(len(batch["input_ids"])))
    if "labels" in batch:
        return every
    if "label" in batch:
        return [place for place in every if batch["label"][place]] or every
    return every[: len(every) // 2]


def _learned(batch: dict[str, Any], row: int) -> torch.Tensor:
    """A reward model learns one number of the whole, no token."""
    if "labels" in batch:
        return batch["labels"][row] != -100
    if "completion_mask" in batch:
        return batch["completion_mask"][row].bool()
    return torch.zeros_like(batch["input_ids"][row]).bool()


def _chosen(planned: Planned, lengths: Sequence[int]) -> list[Row]:
    """As many rows as a step takes: the longest, and the shortest for people to read."""
    by_length = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    taken = {*by_length[: max(planned.step.batch - 1, 1)], by_length[-1]}
    return [planned.rows[index] for index in sorted(taken)]


def _fitting(planned: Planned, rows: list[Row], start: Path, recipe: Recipe, coder: Coder) -> tuple[list[Row], Tried]:
    """As many of the longest rows as the memory holds; the training itself takes a step in as many parts."""
    least = LEAST.get(planned.phase, 1)
    while True:
        try:
            return rows, tried(planned, rows, start, recipe, coder)
        except torch.OutOfMemoryError:
            if len(rows) <= least:
                raise TrainingFailed(
                    f"the memory does not hold the model and the longest rows of {planned.phase}, {least} at a time",
                    seen=f"{max(map(coder.tokens, rows))} tokens",
                    do="lower the recipe's max_length, or train with lora or a smaller model",
                ) from None
        gc.collect()
        torch.cuda.empty_cache()
        half = max(len(rows) // 2, least)
        rows = sorted(rows, key=coder.tokens)[-half:]


def _sides(row: Row) -> int:
    return sum(name in row for name in ENDS)


def _most(phases: Sequence[dict[str, Any]]) -> float:
    return max((phase["memory_gb"] for phase in phases), default=0.0)


def _memory_of_gb() -> float:
    """What there is: of the GPU, or of the machine."""
    if ON_GPU:
        return torch.cuda.mem_get_info()[1] / 1e9
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
