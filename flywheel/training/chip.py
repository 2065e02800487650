"""What of the machine a training takes: memory, and the share of what its chip can do at most.

The most is measured here, in this process, never taken from a data sheet: the rate of large matrix products. Without a
GPU there is no such share.
"""

import resource
import sys
from functools import cache
from typing import Any

import torch

SIDE, PRODUCTS, ROUNDS = 8192, 8, 5
GIGA = 1e9


def memory_gb() -> float:
    """The most that was held so far: of the GPU's memory, or without one of the machine's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / GIGA
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / GIGA


def chip_share(model: Any, phase: str, tokens_per_second: float, *, lora: bool) -> dict[str, float]:
    """The work that the tokens need, over what the chip can do in that time; nothing on a CPU."""
    if not torch.cuda.is_available():
        return {}
    return {"chip_share": tokens_per_second * work(model, phase, lora=lora) / ceiling()}


def work(model: Any, phase: str, *, lora: bool) -> float:
    """Floating-point operations that one token needs, without attention: two a weight forward, two for what flows
    back, two for the weight's own gradient; the reference of DPO and KTO goes forward only.
    """
    passes = (4 if lora else 6) + (2 if phase in ("dpo", "kto") else 0)
    return passes * weights(model)


def weights(model: Any) -> int:
    """Of matrix products: all but the embeddings that are only looked up."""
    held = sum(weight.numel() for weight in model.parameters())
    table, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head is None or head.weight is table.weight
    return held - (0 if tied else table.weight.numel())


@cache
def ceiling() -> float:
    """Floating-point operations per second of large bfloat16 products, the best of a few rounds: under two seconds."""
    left, right = (torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(ROUNDS):
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        for _ in range(PRODUCTS):
            torch.mm(left, right)
        ended.record()
        torch.cuda.synchronize()
        best = min(best, began.elapsed_time(ended) / 1000)
    return 2 * SIDE**3 * PRODUCTS / best
