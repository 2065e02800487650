"""What a training takes of its chip."""

import gc
import weakref
from pathlib import Path

from flywheel.training.chip import work
from flywheel.training.trainer import load


def test_measuring_a_model_does_not_keep_it_in_memory(tiny_model: Path) -> None:
    model = load(tiny_model)
    held = sum(weight.numel() for weight in model.parameters())
    assert [work(model, phase, lora=lora) / held for phase, lora in (("sft", False), ("dpo", True))] == [6, 6]
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
