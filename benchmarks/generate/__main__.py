"""Tokens per second of the gate's batches beside `generate()` in static batches in the order of arrival.

    make bench-generate
    .venv/bin/python -m benchmarks.generate [--items N] [--hidden N] [--layers N] [--batches N ...] [--rounds N]

Both answer the same items greedily with the same model, by turns in one process, and must say the same. Where a machine
is busy with other work, the ratio of processor seconds says more than that of the clock.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
import transformers
from transformers import LogitsProcessorList

from benchmarks.generate.scene import ANSWER, MOST, PROMPT, SPREAD, Ends, Scene, Size, scene
from benchmarks.told import tell
from flywheel.model import decoded, load_model, load_tokenizer, stop_tokens

AT_LEAST = 1.5
Said = dict[int, list[int]]


class Turn(NamedTuple):
    """What one contestant took for all items."""

    said: Said
    seconds: float
    processor: float


class Bench:
    """One model and its items."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.model, tokenizer = scene, load_model(scene.folder), load_tokenizer(scene.folder)
        self.stops, self.padding = stop_tokens(self.model, tokenizer), tokenizer.pad_token_id
        self.lengths = {(prompt[0], prompt[1]): n for prompt, n in zip(scene.prompts, scene.lengths, strict=True)}

    def ours(self, batch: int) -> Said:
        """Sorted by length; what has ended leaves the batch."""
        found: Said = {}
        by_length = sorted(range(len(self.scene.prompts)), key=lambda number: len(self.scene.prompts[number]))
        for start in range(0, len(by_length), batch):
            chosen = by_length[start : start + batch]
            prompts = [self.scene.prompts[number] for number in chosen]
            ends = [self._ends(prompts)]
            loop = decoded(self.model, prompts, stops=self.stops, padding=self.padding, most=MOST, processors=ends)
            found |= dict(zip(chosen, loop.said, strict=True))
        return found

    @torch.inference_mode()
    def theirs(self, batch: int) -> Said:
        """In the order of arrival; a batch ends with its longest answer."""
        found: Said = {}
        for start in range(0, len(self.scene.prompts), batch):
            prompts = self.scene.prompts[start : start + batch]
            width = max(map(len, prompts))
            ids = torch.tensor([[self.padding] * (width - len(each)) + each for each in prompts]).to(self.model.device)
            said = self.model.generate(
                input_ids=ids,
                attention_mask=(ids != self.padding).long(),
                do_sample=False,
                max_new_tokens=MOST,
                logits_processor=LogitsProcessorList([self._ends(prompts)]),
                pad_token_id=self.padding,
                eos_token_id=self.stops,
            )
            for row, tokens in enumerate(said[:, width:].tolist()):
                length = self.lengths[prompts[row][0], prompts[row][1]]
                found[start + row] = tokens[:length]
        return found

    def _ends(self, prompts: list[list[int]]) -> Ends:
        return Ends(self.lengths, self.padding, self.stops[0], max(map(len, prompts)))


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--items", type=int, default=256)
    read.add_argument("--hidden", type=int, default=512)
    read.add_argument("--layers", type=int, default=6)
    read.add_argument("--batches", type=int, nargs="+", default=[16, 32, 128])
    read.add_argument("--rounds", type=int, default=3)
    asked = read.parse_args()
    transformers.logging.set_verbosity_error()
    tell(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads of torch")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        made = scene(Path(name), asked.items, Size(asked.hidden, asked.layers))
        bench = Bench(made)
        parameters = sum(each.numel() for each in bench.model.parameters()) / 1e6
        tell(
            f"{parameters:.0f} million parameters; {asked.items} items, lognormal tokens (deviation {SPREAD}): "
            f"prompts of median {PROMPT}, answers of median {ANSWER}, at most {MOST}, drawn: "
            f"{sum(made.lengths)} tokens of answers, the longest {max(made.lengths)}"
        )
        for batch in asked.batches:
            beside(bench, batch, asked.rounds)


def beside(bench: Bench, batch: int, rounds: int) -> None:
    """Both by turns, whoever begins taking turns too."""
    ours, theirs = list[Turn](), list[Turn]()
    for number in range(rounds):
        order: list[tuple[Callable[[int], Said], list[Turn]]] = [(bench.ours, ours), (bench.theirs, theirs)]
        for contestant, turns in order if number % 2 else order[::-1]:
            turns.append(timed(contestant, batch))
    different = sum(ours[0].said[number] != theirs[0].said[number] for number in ours[0].said)
    tokens = sum(map(len, ours[0].said.values()))
    clock, processor = ratio(theirs, ours, "seconds"), ratio(theirs, ours, "processor")
    tell(
        f"batches of {batch:>3}: {tokens / median(each.seconds for each in ours):.0f} tokens/s beside "
        f"{tokens / median(each.seconds for each in theirs):.0f}; {clock} times by the clock, {processor} by processor "
        f"seconds (at least {AT_LEAST}); {different} of {len(ours[0].said)} answers differ (none may)"
    )


def timed(contestant: Callable[[int], Said], batch: int) -> Turn:
    began, busy = time.perf_counter(), time.process_time()
    said = contestant(batch)
    return Turn(said, time.perf_counter() - began, time.process_time() - busy)


def ratio(theirs: list[Turn], ours: list[Turn], what: str) -> str:
    found = sorted(getattr(a, what) / getattr(b, what) for a, b in zip(theirs, ours, strict=True))
    return f"{median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f}, n = {len(found)})"


if __name__ == "__main__":
    main()
