"""One batch, decoded token by token: a row that has ended leaves the batch at once, so that nothing is computed for it.

The loop goes into `generate()` in place of its own, which prepares everything as it always does: under greedy decoding
both say the same. The noise of sampling belongs to the row and leaves with it. Imports torch; which prompts stand in
one batch belongs in `flywheel.model`.
"""

import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache, LogitsProcessor
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer


class SeededDraws(LogitsProcessor):
    """Sampling as an argmax: logits over temperature plus Gumbel noise that belongs to the row, not to the batch."""

    def __init__(self, seeds: Sequence[int], temperature: float) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.temperature = temperature

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        uniform = torch.stack([torch.rand(scores.shape[-1], generator=each) for each in self.generators])
        noise = -torch.log((-torch.log(uniform.clamp_min(1e-20))).clamp_min(1e-20))
        return scores.float() / self.temperature + noise.to(scores.device)

    def keep(self, rows: Sequence[int]) -> None:
        """Only these rows are left in the batch."""
        self.generators = [self.generators[row] for row in rows]


class Dropping:
    """The loop over one batch, and what it leaves: the tokens of each row and the seconds that were its own.

    The prompts' seconds are divided by their tokens, each further step's equally among the rows still in the batch:
    all rows together took what the batch took.
    """

    def __init__(self, lengths: Sequence[int], processors: Sequence[Any] = ()) -> None:
        self._moving = [each for each in processors if isinstance(each, SeededDraws)]
        self.said: list[list[int]] = [[] for _ in lengths]
        self.seconds = [0.0] * len(lengths)
        self._share = [length / sum(lengths) for length in lengths]
        self._rows = list(range(len(lengths)))
        self._began = time.perf_counter()

    @torch.inference_mode()
    def __call__(
        self, model: Any, input_ids: Any, logits_processor: Any, stopping_criteria: Any, **prepared: Any
    ) -> Any:
        prepared.pop("generation_config")
        may_drop = droppable(prepared.get("past_key_values"))
        going_on = torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)
        step = model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **prepared)
        while True:
            outputs = model(**step, return_dict=True)
            prepared = model._update_model_kwargs_for_generation(outputs, prepared)
            # A copy: the first step's logits may be those of whole prompts, and must not be held.
            scores = logits_processor(input_ids, outputs.logits[:, -1].to(torch.float32, copy=True))
            del outputs
            tokens = scores.argmax(-1)
            input_ids = torch.cat([input_ids, tokens[:, None]], dim=-1)
            self._note(tokens.tolist())
            going_on &= ~stopping_criteria(input_ids, None)
            left = going_on.nonzero()[:, 0]
            if not len(left):
                return input_ids
            if may_drop and len(left) < len(input_ids):
                input_ids, prepared, going_on = self._dropped(input_ids, prepared, left)
            self._share = [float(open_) / len(left) for open_ in going_on.tolist()]
            one = 1 if prepared.get("use_cache") else None
            step = model.prepare_inputs_for_generation(input_ids, next_sequence_length=one, **prepared)

    def _note(self, tokens: Sequence[int]) -> None:
        """A row without a share has ended and only waits for the others."""
        now = time.perf_counter()
        for row, token, share in zip(self._rows, tokens, self._share, strict=True):
            if share:
                self.said[row].append(token)
                self.seconds[row] += share * (now - self._began)
        self._began = now

    def _dropped(self, input_ids: Any, prepared: dict[str, Any], left: Any) -> tuple[Any, dict[str, Any], Any]:
        """The batch with only these rows; what generation carries along has rows in its last dimension but one."""
        for name, value in prepared.items():
            if isinstance(value, DynamicCache):
                value.batch_select_indices(left)
            elif isinstance(value, torch.Tensor) and value.dim() > 1:
                prepared[name] = value.index_select(-2, left)
        self._rows = [self._rows[row] for row in left.tolist()]
        for draws in self._moving:
            draws.keep(left.tolist())
        return input_ids.index_select(0, left), prepared, torch.ones_like(left, dtype=torch.bool)


def droppable(cache: Any) -> bool:
    """Rows can be taken out of this cache; the state of recurrent layers cannot be cut so."""
    plain = (DynamicLayer, DynamicSlidingWindowLayer)
    return type(cache) is DynamicCache and all(type(layer) in plain for layer in cache.layers)
