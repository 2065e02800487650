"""Messages and completions as chat APIs write them, whoever logged them: roles, parts, calls of tools.

What a log means belongs in its reader; here it is only said what a message is. Everything raises ValueError with a
sentence that names the field.
"""

from datetime import date
from typing import Any

from flywheel.capture.events import Message
from flywheel.ingest import cells
from flywheel.ingest.cells import ROLES, Unreadable
from flywheel.ingest.reader import Rejected, canonical, short, tool_call
from flywheel.ingest.strict import decode

EPOCH = date(1970, 1, 1)


def messages(written: Any, field: str) -> list[Message]:
    if not isinstance(written, list):
        raise ValueError(f"field {field}: no list of messages; saw `{short(written)}`")
    return [message(each, f"{field}[{place}]") for place, each in enumerate(written)]


def message(written: Any, field: str) -> Message:
    """A turn whose calls of tools are lines after what was said."""
    match written:
        case {"role": str(role)}:
            said = content(written.get("content"), field)
        case _:
            raise ValueError(f"field {field}: a message without its role; saw `{short(written)}`")
    called = [_call(each, field) for each in [*_listed(written, field), written.get("function_call")] if each]
    return Message(role=ROLES.get(role, role), content="\n".join([said, *called] if said else called))


def content(written: Any, field: str) -> str:
    """Text, or parts of which only text is text: of a picture or a file nothing stays but that it was there."""
    match written:
        case None:
            return ""
        case str(text):
            return text
        case list(parts):
            return "\n".join(_part(part, field) for part in parts)
    raise ValueError(f"field {field}.content: neither text nor parts; saw `{short(written)}`")


def answers(completion: Any, field: str) -> list[Message]:
    """What a completion's choices say."""
    match completion:
        case {"choices": list(choices)} if choices:
            pass
        case _:
            raise ValueError(f"field {field}choices: no list of choices; saw `{short(completion)}`")
    found = []
    for place, choice in enumerate(choices):
        where = f"{field}choices[{place}].message"
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise ValueError(f"field {where}: missing; saw `{short(choice)}`")
        found.append(message({"role": "assistant", **choice["message"]}, where))
    return found


def moment(written: Any, field: str) -> str:
    """A time in any of the ways that logs write it, numbers by their size."""
    try:
        return cells.moment(written, EPOCH)
    except Unreadable as error:
        raise ValueError(f"field {field}: {error}; saw `{short(written)}`") from None


def name(written: Any, field: str) -> str | None:
    """An id or a name; a number stands for its digits, and what is empty for nothing."""
    if isinstance(written, int) and not isinstance(written, bool):
        return str(written)
    if isinstance(written, str | None):
        return written or None
    raise ValueError(f"field {field}: not text; saw `{short(written)}`")


def objects(written: Any, field: str) -> list[dict[str, Any]]:
    """A list of objects; none at all is an empty one."""
    found = written or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError(f"field {field}: no list of objects; saw `{short(written)}`")
    return found


def number(written: Any) -> int | None:
    """A count of tokens; whatever else stands there says nothing."""
    return written if isinstance(written, int) and not isinstance(written, bool) and 0 <= written < 2**63 else None


def _part(part: Any, field: str) -> str:
    match part:
        case str(text) | {"text": str(text)} | {"refusal": str(text)}:
            return text
        case {"type": str(kind)}:
            return canonical({"type": kind})
    raise ValueError(f"field {field}.content: a part that is neither text nor has a type; saw `{short(part)}`")


def _listed(written: dict[str, Any], field: str) -> list[Any]:
    found = written.get("tool_calls") or []
    if not isinstance(found, list):
        raise ValueError(f"field {field}.tool_calls: no list; saw `{short(found)}`")
    return found


def _call(written: Any, field: str) -> str:
    match written:
        case {"function": {"name": str(name), **rest}} | {"name": str(name), **rest}:
            return tool_call(name, opened(rest.get("arguments")))
    raise ValueError(f"field {field}: a call of a tool without its name; saw `{short(written)}`")


def opened(arguments: Any) -> Any:
    """Arguments are JSON text in most logs and an object in some; what is no JSON stays as it was written."""
    if not isinstance(arguments, str):
        return {} if arguments is None else arguments
    read = decode(arguments.encode())
    return arguments if isinstance(read, Rejected) else read
