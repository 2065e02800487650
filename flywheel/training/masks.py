"""Which tokens of a conversation are learned: what the assistant says in the completion, its calls of tools too, up to
the token that ends each of its turns. Never the prompt, and never what a tool answered.

Found by rendering, so that it holds for any chat template: an assistant's turn is the text by which the conversation
with it is longer than the one that only asks for it. That needs a template which says the same of what came before when
more comes after. Some do not; TRL has a template to train by for many of those, and a conversation that neither can say
is not learned from.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from trl.chat_template_utils import get_training_chat_template

from flywheel.turns import Message, knows_tools, with_calls


class Unsayable(Exception):
    """The chat template cannot say this conversation; the words say why."""


@dataclass(frozen=True)
class Said:
    """The tokens of a conversation, and of each whether it is learned."""

    tokens: list[int]
    learned: list[bool]

    @property
    def labels(self) -> list[int]:
        """As the trainers want them: -100 where nothing is learned."""
        return [token if learn else -100 for token, learn in zip(self.tokens, self.learned, strict=True)]


class Masks:
    """Of one tokenizer; `stops` are the tokens that end an answer."""

    def __init__(self, tokenizer: Any, stops: Collection[int]) -> None:
        self.tokenizer, self.stops = tokenizer, frozenset(stops)
        self.tools = knows_tools(tokenizer)
        self.templates = [None, _training_template(tokenizer)]

    def said(self, prompt: Sequence[Message], completion: Sequence[Message]) -> Said:
        """The whole conversation, of which the completion's answers are learned."""
        before, after = list(prompt), list(completion)
        if self.tools:
            whole = with_calls([*before, *after])
            before, after = whole[: len(before)], whole[len(before) :]
        why = Unsayable("nothing in it is the assistant's")
        for template in dict.fromkeys(self.templates):
            try:
                return self._said(before, after, template)
            except Unsayable as error:
                why = error if template is None else why
        raise why

    def require_plain(self, messages: Sequence[Message]) -> None:
        """The template says them as they were logged, which is how TRL's own trainers render pairs and labels."""
        self._rendered(list(messages), None)

    def _said(self, prompt: list[Message], completion: list[Message], template: str | None) -> Said:
        whole = self._rendered([*prompt, *completion], template)
        turns = [place for place, message in enumerate(completion) if message["role"] == "assistant"]
        spans = [self._span(whole, [*prompt, *completion[:place]], completion[place], template) for place in turns]
        found = self.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        tokens, learned = found["input_ids"], [False] * len(found["input_ids"])
        for start, end in spans:
            inside = [
                place for place, (first, last) in enumerate(found["offset_mapping"]) if start <= first < last <= end
            ]
            # What a template writes after the end of a turn, a line break mostly, no model is ever asked to say.
            ends = [place for place in inside if tokens[place] in self.stops]
            for place in range(inside[0], ends[-1] + 1) if ends else inside:
                learned[place] = True
        if not any(learned):
            raise Unsayable("nothing in it is the assistant's")
        if not self.stops.intersection(token for token, learn in zip(tokens, learned, strict=True) if learn):
            raise Unsayable("the chat template does not end an answer with the token that stops generation")
        return Said(tokens, learned)

    def _span(self, whole: str, before: list[Message], answer: Message, template: str | None) -> tuple[int, int]:
        """Where in the whole this answer stands."""
        asked = self._rendered(before, template, add_generation_prompt=True)
        told = self._rendered([*before, answer], template)
        if not whole.startswith(told):
            raise Unsayable("the chat template says an earlier turn differently when more follows")
        same = takewhile(lambda pair: pair[0] == pair[1], zip(asked, told, strict=False))
        return sum(1 for _ in same), len(told)

    def _rendered(self, messages: list[Message], template: str | None, **how: Any) -> str:
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False, chat_template=template, **how)
        except Exception as error:  # a template raises whatever it likes
            raise Unsayable(f"the chat template refuses it ({str(error).splitlines()[0]})") from None


def _training_template(tokenizer: Any) -> str | None:
    """TRL's variant of the tokenizer's template, where it has one."""
    try:
        return get_training_chat_template(tokenizer)
    except ValueError:
        return None
