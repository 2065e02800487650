"""Messages as the log holds them and as a chat template wants them: a tool call is text there, a field here.

In a log a call is a line of its own after what the assistant said: `{"arguments":…,"name":…,"type":"tool_call"}`.
A template that knows tools writes a call in the way its model was taught; one that does not is given the line as it is.
Only messages belong here, no tokens.
"""

import json
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]

PROBE = "flywheel_probe"
CALL = {"type": "tool_call", "name": PROBE, "arguments": {"of": "a"}}


def with_calls(messages: Sequence[Message]) -> list[Message]:
    """The calls of the assistant as fields, and each tool's answer under the call that it answers."""
    opened: list[Message] = []
    waiting: list[tuple[str, str]] = []
    for message in messages:
        if message["role"] == "assistant":
            opened.append(_opened(message, len(opened)))
            calls = opened[-1].get("tool_calls", [])
            waiting = [(call["id"], call["function"]["name"]) for call in calls]
        elif message["role"] == "tool" and waiting:
            call, name = waiting.pop(0)
            opened.append({**message, "tool_call_id": call, "name": name})
        else:
            opened.append(message)
    return opened


def knows_tools(tokenizer: Any) -> bool:
    """Whether the chat template says a call that it is given as a field; some drop it without a word."""
    told = with_calls([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": json.dumps(CALL)},
        {"role": "tool", "content": "b"},
    ])  # fmt: skip
    try:
        return PROBE in tokenizer.apply_chat_template(told[:2], tokenize=False) and bool(
            tokenizer.apply_chat_template(told, tokenize=False)
        )
    except Exception:  # a template raises whatever it likes
        return False


def _opened(message: Message, place: int) -> Message:
    lines = message["content"].split("\n")
    calls: list[Message] = []
    while lines and (call := _call(lines[-1])):
        calls.insert(0, call)
        lines.pop()
    if not calls:
        return message
    # Nine letters and digits, because one family of templates takes no other id.
    fields = [
        {"id": f"c{place:04}{number:04}", "type": "function", "function": call} for number, call in enumerate(calls)
    ]
    return {**message, "content": "\n".join(lines), "tool_calls": fields}


def _call(line: str) -> Message | None:
    if not line.startswith("{"):
        return None
    try:
        read = json.loads(line)
    except ValueError:
        return None
    if not isinstance(read, dict) or set(read) != {"type", "name", "arguments"} or read["type"] != "tool_call":
        return None
    arguments = read["arguments"]
    return {"name": str(read["name"]), "arguments": arguments if isinstance(arguments, dict) else {"value": arguments}}
