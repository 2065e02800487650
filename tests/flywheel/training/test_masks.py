"""Which tokens are learned, for chat templates as models ship them: texts, calls of tools, several turns."""

import re
from pathlib import Path
from typing import Any

import pytest
import trl

from flywheel.training.masks import Masks, Said, Unsayable
from tests import tiny

SHIPPED = Path(trl.__file__).parent / "chat_templates"
STOPS = {
    "qwen2_5": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "qwen3_5_think": "<|im_end|>",
    "llama3_1": "<|eot_id|>",
    "gptoss": "<|return|>",
    "gemma4_v5": "<turn|>",
    "glm4moe": "<|user|>",
}
"""What ends an answer."""
TOOLS = ["qwen2_5", "qwen3", "qwen3_5_think", "llama3_1", "gptoss", "gemma4_v5", "glm4moe"]

PROMPT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is order 17?"}]
TEXT = [{"role": "assistant", "content": "It was sent."}]
CALL = '{"arguments":{"id":"17"},"name":"find_order","type":"tool_call"}'
RUN = [
    {"role": "assistant", "content": CALL},
    {"role": "tool", "content": "the parcel left on Monday"},
    {"role": "assistant", "content": "It was sent."},
]


def masks(name: str) -> Masks:
    """For the template of this name, with a tokenizer that knows its special tokens."""
    template = (SHIPPED / f"{name}.jinja").read_text()
    tokenizer: Any = tiny.tokenizer(template)
    special = sorted(set(re.findall(r"<\|[a-z_]+\|?>|<[a-z_]+\|>", template)))
    tokenizer.add_special_tokens({"additional_special_tokens": special, "bos_token": "<bos>"})
    return Masks(tokenizer, [tokenizer.convert_tokens_to_ids(STOPS[name])])


def learned(of: Masks, said: Said) -> str:
    """The text of what is learned."""
    return of.tokenizer.decode([token for token, learn in zip(said.tokens, said.learned, strict=True) if learn])


@pytest.mark.parametrize("name", STOPS)
def test_an_answer_is_learned_to_its_end_and_nothing_else(name: str) -> None:
    of = masks(name)
    text = learned(of, of.said(PROMPT, TEXT))
    assert text.endswith(f"It was sent.{STOPS[name]}")
    assert "Be kind" not in text
    assert "order" not in text


@pytest.mark.parametrize("name", STOPS)
def test_what_is_not_learned_is_what_the_model_is_asked_with(name: str) -> None:
    of = masks(name)
    said = of.said(PROMPT, TEXT)
    asked = of.tokenizer.apply_chat_template(PROMPT, add_generation_prompt=True)["input_ids"]
    first = said.learned.index(True)
    assert said.tokens[:first] == asked[:first]
    assert of.tokenizer.decode(asked[first:]).strip() in ("", "<think>")


@pytest.mark.parametrize("name", TOOLS)
def test_of_a_run_the_calls_and_the_answer_are_learned_but_no_tool(name: str) -> None:
    of = masks(name)
    said = of.said(PROMPT, RUN)
    text = learned(of, said)
    assert of.tools
    assert "find_order" in text
    assert "17" in text
    assert '"type":"tool_call"' not in text
    assert "It was sent." in text
    assert "Monday" not in text
    assert "Monday" in of.tokenizer.decode(said.tokens)


@pytest.mark.parametrize("name", ["qwen2_5", "llama3_1"])
def test_every_turn_of_a_run_ends(name: str) -> None:
    of = masks(name)
    assert learned(of, of.said(PROMPT, RUN)).count(STOPS[name]) == 2


def test_a_template_that_forgets_what_was_said_before_a_call_is_not_learned_from() -> None:
    run = [{"role": "assistant", "content": f"I look.\n{CALL}"}, *RUN[1:]]
    assert "I look." in learned(masks("qwen2_5"), masks("qwen2_5").said(PROMPT, run))
    with pytest.raises(Unsayable, match="differently"):
        masks("gptoss").said(PROMPT, run)


def test_an_answer_that_never_ends_is_not_learned_from() -> None:
    endless = tiny.TEMPLATE.replace("<|end|>", "")
    with pytest.raises(Unsayable, match="stops generation"):
        Masks(tiny.tokenizer(endless), [1]).said(PROMPT, TEXT)


def test_earlier_answers_of_the_prompt_are_not_learned() -> None:
    of = masks("qwen2_5")
    prompt = [*PROMPT, {"role": "assistant", "content": "Which one?"}, {"role": "user", "content": "17"}]
    assert "Which" not in learned(of, of.said(prompt, TEXT))


def test_a_template_that_drops_calls_is_given_them_as_text() -> None:
    tokenizer: Any = tiny.tokenizer(tiny.TEMPLATE)
    of = Masks(tokenizer, [tokenizer.eos_token_id])
    assert not of.tools
    assert CALL in learned(of, of.said(PROMPT, RUN))


def test_a_conversation_that_the_template_refuses_is_told_in_words() -> None:
    template = "{{ raise_exception('no tools here') }}"
    with pytest.raises(Unsayable, match="no tools here"):
        Masks(tiny.tokenizer(template), [0]).said(PROMPT, TEXT)


def test_a_template_that_rewrites_earlier_turns_is_not_learned_from() -> None:
    rewriting = (
        "{% for message in messages %}<|{{ message.role }}|>"
        "{{ message.content if loop.last or message.role != 'assistant' else '...' }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    of: Any = Masks(tiny.tokenizer(rewriting), [1])
    assert "It was sent" in learned(of, of.said(PROMPT, TEXT))
    with pytest.raises(Unsayable, match="differently"):
        of.said(PROMPT, RUN)
