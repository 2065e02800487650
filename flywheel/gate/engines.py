"""The ways to ask a model: its endpoint, vLLM, transformers' continuous batching, or batches that drop what has ended.

Each gives answers as they come, by the number of the question, and looks at the budget in between. Which is used is
decided by what is there. Only the last two load torch into this process.

Continuous batching cannot give each item draws of its own, so it answers only where nothing is drawn (temperature 0).
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from flywheel.checkpoint import endpoint, is_endpoint
from flywheel.endpoint import Asking, Messages, Reply, Sending

PORTION = 128
"""Answers whose common time is divided among them by their tokens, where they stand in no batch of their own."""

Found = Mapping[int, Any]
"""By the number of its question: text, tokens_in, tokens_out, seconds."""


class Unusable(Exception):
    """This way is not open here; another may be."""


class Questions(NamedTuple):
    """What is to be answered, how, and whom to tell before a text leaves this machine."""

    items: Sequence[str]
    prompts: Sequence[Messages]
    decoding: Mapping[str, Any]
    going_on: Callable[[], bool]
    sending: Sending
    answered: bool = False
    """Whether others were answered before: a request that is refused then is a hole."""

    def drawn(self) -> Iterator[Messages]:
        """One by one, while the budget lasts."""
        for prompt in self.prompts:
            if not self.going_on():
                return
            yield prompt


Engine = Callable[[Path, Questions], Iterator[Found]]


def engines(folder: Path, temperature: float) -> list[tuple[str, Engine]]:
    """The ways that are open to this model on this machine, best first."""
    if is_endpoint(folder):
        return [("asking the endpoint", by_endpoint)]
    from flywheel.model import device

    ways: list[tuple[str, Engine]] = []
    if device() == "cuda" and find_spec("vllm"):
        from flywheel.gate.vllm import by_vllm

        ways.append(("vLLM", by_vllm))
    if device() == "cuda" and temperature == 0:
        ways.append(("continuous batching", by_continuous))
    return [*ways, ("batches", by_batches)]


def by_endpoint(folder: Path, asked: Questions) -> Iterator[Found]:
    """Some requests at a time; `seconds` is what the request took, waiting for the server included.

    A request that the endpoint refuses, as too long or not to its taste, has no answer: its item is a hole.
    """
    named = endpoint(folder)
    asking = Asking(
        endpoint=named,
        max_tokens=asked.decoding["max_new_tokens"],
        temperature=asked.decoding["temperature"],
        whose=f"the endpoint of {named.model}",
        answers=asked.answered,
    )
    for number, reply in asking.each(asked.drawn(), sending=asked.sending):
        if isinstance(reply, Reply):
            yield {number: reply}


def by_batches(folder: Path, asked: Questions) -> Iterator[Found]:
    """Batches of like length that drop what has ended; `seconds` is the share of the batch's time."""
    from flywheel.model import Decoding, answers, load_model, load_tokenizer

    model, tokenizer = load_model(folder), load_tokenizer(folder)
    for found in answers(model, tokenizer, asked.prompts, Decoding(**asked.decoding), salts=asked.items):
        yield found
        if not asked.going_on():
            return


def by_continuous(folder: Path, asked: Questions) -> Iterator[Found]:
    """Transformers' continuous batching: whoever has ended makes room for the next at once."""
    from flywheel.model import Answer, load_model, load_tokenizer, rendered, stop_tokens

    model, tokenizer = load_model(folder), load_tokenizer(folder)
    prompts = tokenizer(rendered(tokenizer, asked.prompts), add_special_tokens=False)["input_ids"]
    stops, most = stop_tokens(model, tokenizer), asked.decoding["max_new_tokens"]
    how = copy.deepcopy(model.generation_config)
    how.update(do_sample=False, max_new_tokens=most, eos_token_id=stops, pad_token_id=tokenizer.pad_token_id)
    found = ((number, said, len(said)) for number, said in _continuously(model, how, prompts, most))
    for portion in portions(found):
        texts = tokenizer.batch_decode([said for _, said, _ in portion], skip_special_tokens=True)
        told = zip(texts, portion, strict=True)
        yield {n: Answer(text.strip(), len(prompts[n]), len(said), share) for text, (n, said, share) in told}
        if not asked.going_on():
            return


def _continuously(model: Any, how: Any, prompts: list[list[int]], most: int) -> Iterator[tuple[int, list[int]]]:
    """The tokens of each answer as it ends; whatever this young part of transformers cannot do is `Unusable`."""
    try:
        with model.continuous_batching_context_manager(generation_config=how, block=True, timeout=5) as manager:
            number_of = {name: n for n, name in enumerate(manager.add_requests(inputs=prompts, max_new_tokens=most))}
            while number_of:
                result = manager.get_result(timeout=1)
                if result is None and not manager.is_running():
                    raise Unusable("it ended before its answers")
                if result is None or not result.is_finished():
                    continue
                if result.error:
                    raise Unusable(result.error)
                yield number_of.pop(result.request_id), result.generated_tokens
    except Exception as error:  # of many kinds, from kernels to memory
        raise error if isinstance(error, Unusable) else Unusable(f"{type(error).__name__}: {error}") from error


Weighed = tuple[int, Any, int]
Timed = tuple[int, Any, float]


def portions(answers: Iterator[Weighed]) -> Iterator[list[Timed]]:
    """Some answers at a time, each with its tokens; the time they took together is divided among them by these."""
    began, portion = time.perf_counter(), list[Weighed]()
    for answer in answers:
        portion.append(answer)
        if len(portion) == PORTION:
            yield _shared(portion, time.perf_counter() - began)
            began, portion = time.perf_counter(), []
    if portion:
        yield _shared(portion, time.perf_counter() - began)


def _shared(portion: list[Weighed], seconds: float) -> list[Timed]:
    of = sum(tokens for _, _, tokens in portion) or 1
    return [(number, said, seconds * tokens / of) for number, said, tokens in portion]
