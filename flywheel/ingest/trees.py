"""Conversations that a chat application keeps as trees of messages: a regeneration or an edited prompt is a branch.

An answer is the last message of the assistant in its turn; what the assistant and its tools said before it in the same
turn belongs to its prompt. Answers to one message of the user are siblings. Which fields of an export hold the tree
belongs in its reader.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flywheel.capture.events import Message, Response

LONGEST = 64_000_000
"""Characters and turns in all prompts of one conversation: each repeats what came before it."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One message; a node without text stands for nothing, but others hang below it."""

    parent: str | None
    role: str
    text: str
    at: str
    model: str = "unknown"


def responses(nodes: Mapping[str, Node], conversation: str, common: Mapping[str, Any]) -> Iterator[Response]:
    """One for each answer of the tree; its id is `answer_id` of the node's."""
    followed, size = _followed(nodes), 0
    for name, node in nodes.items():
        if node.role != "assistant" or not node.text or name in followed:
            continue
        path = _path(nodes, node.parent)
        said = [Message(role=nodes[each].role, content=nodes[each].text) for each in path if nodes[each].text]
        size += len(path) + sum(len(each.content) for each in said)
        if size > LONGEST:
            raise ValueError(f"its prompts together hold more than {LONGEST} characters and turns")
        asked = next((each for each in reversed(path) if nodes[each].role == "user"), conversation)
        yield Response(
            **common,
            id=answer_id(conversation, name),
            at=node.at,
            conversation=conversation,
            parent=answer_id(conversation, asked),
            prompt=said,
            text=node.text,
            model=node.model,
        )


def answer_id(conversation: str, node: str) -> str:
    return f"{conversation}:{node}"


def _followed(nodes: Mapping[str, Node]) -> set[str]:
    """The nodes after which something more was said in the same turn."""
    followed: set[str] = set()
    for node in nodes.values():
        above = node.parent if node.text and node.role != "user" else None
        while above is not None and above in nodes and above not in followed and nodes[above].role != "user":
            followed.add(above)
            above = nodes[above].parent
    return followed


def _path(nodes: Mapping[str, Node], last: str | None) -> list[str]:
    """From the root to this node."""
    path: dict[str, None] = {}
    while last is not None and last in nodes:
        if last in path:
            raise ValueError(f"its messages follow each other in a circle; saw `{last}` twice")
        path[last] = None
        last = nodes[last].parent
    return list(reversed(path))
