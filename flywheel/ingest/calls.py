"""What instrumented code logs as the input and the output of a model's call, whichever framework wrote it: messages.

Chat completions and responses of OpenAI, Anthropic, Gemini, LangChain, the AI SDK, OpenTelemetry's message parts, and
the flat attributes of OpenLLMetry and OpenInference are known by their looks. What is none of them is no messages and
nothing is made up. How a trace hangs together belongs in `spans`, where a format keeps these fields in its reader.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flywheel.capture.events import Message
from flywheel.ingest import cells, chat
from flywheel.ingest.cells import ROLES
from flywheel.ingest.reader import canonical, tool_call

THOUGHTS = {"reasoning", "thinking", "redacted_thinking"}  # what it thought is not what it answered
CALLS = {"tool_use", "tool_call", "tool-call", "function_call", "function"}
RESULTS = {"tool_result", "tool_call_response", "tool-result", "function_call_output"}
TURNS = {"human", "ai", "system", "tool", "user", "assistant", "developer"}  # LangChain says the role as the type
ASKED = ("messages", "contents", "prompt", "input")
RULES = ("system", "instructions", "system_instruction")
GIVEN = ("gen_ai.input.messages", "gen_ai.prompt", "llm.input_messages", "ai.prompt.messages", "ai.prompt")
ANSWERED = ("gen_ai.output.messages", "gen_ai.completion", "llm.output_messages")


def messages(logged: Any) -> list[Message] | None:
    """The turns of an input or an output; None where it holds something else. Of several choices it is the first."""
    match opened(logged):
        case [list(first), *_]:
            return messages(first)  # a batch of one
        case list(items):
            turns = [messages(each) for each in items if not _aside(each)]
            return [turn for each in turns if each for turn in each] if turns and None not in turns else None
        case dict(found):
            return _turns(found)
    return None


def given(attributes: Mapping[str, Any]) -> list[Message] | None:
    """What the model was given, where a span says it in its attributes."""
    asked = _first(attributes, GIVEN)
    rules = opened(attributes.get("gen_ai.system_instructions"))
    return [Message(role="system", content=plain(rules)), *(asked or [])] if rules else asked


def answered(attributes: Mapping[str, Any]) -> list[Message] | None:
    return _first(attributes, ANSWERED)


def plain(logged: Any) -> str:
    """Any value as the text that stands for it; of parts their text."""
    match logged:
        case None:
            return ""
        case str(text):
            return text
        case [*parts] if parts and all(isinstance(part, dict) and "type" in part for part in parts):
            said, results = _parts(parts)
            return "\n".join(said + results)
        case {"content": list(parts)}:
            return plain(parts)
    return canonical(logged)


def opened(logged: Any) -> Any:
    """The value inside JSON text; other text as it is."""
    if not isinstance(logged, str) or logged.lstrip()[:1] not in ("{", "[", '"'):
        return logged
    return chat.opened(logged)


def arguments(logged: Any) -> dict[str, Any]:
    """What a tool was called with: an object, JSON text or Python's repr of it."""
    found = opened(logged)
    if isinstance(found, str) and found.lstrip().startswith("{"):
        with suppress(cells.Unreadable):
            found = cells.literal(found)
    match found:
        case {"input": dict(inside)} if len(found) == 1:
            return inside
        case dict():
            return {str(name): value for name, value in found.items()}
    return {} if found is None else {"input": found}


def grown(flat: Mapping[str, Any], prefix: str) -> list[Any]:
    """The list that attributes like `prefix.0.role` stand for."""
    tree: dict[str, Any] = {}
    for name in sorted(each for each in flat if each.startswith(f"{prefix}.")):
        *path, last = name[len(prefix) + 1 :].split(".")
        at: Any = tree
        for step in path:
            at = at.setdefault(step, {}) if isinstance(at, dict) else None
        if isinstance(at, dict):
            at.setdefault(last, flat[name])
    made = _listed(tree)
    return made if isinstance(made, list) else []


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> list[Message] | None:
    for name in names:
        if (found := messages(attributes.get(name)) or messages(grown(attributes, name))) is not None:
            return found
    return None


def _listed(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(name.isascii() and name.isdigit() and len(name) < 9 for name in tree):
        return [_listed(tree[name]) for name in sorted(tree, key=int)]
    return {name: _listed(each) for name, each in tree.items()}


def _turns(found: dict[str, Any]) -> list[Message] | None:
    """An object: a turn itself, or what it is wrapped in."""
    match found:
        case {"role": str()} | {"type": "function_call" | "function_call_output"} | {"toolName": str()}:
            return _turn(found)
        case {"type": str(kind), "content": _} if kind in TURNS:
            return _turn(found)
        case {"message": {"type": _} | {"role": _} as message}:
            return messages(message)
        case {"message": dict(message)} | {"content": {"parts": _} as message}:
            return _turn({"role": "assistant", **message})
        case {"choices": [first, *_]} | {"candidates": [first, *_]} | {"generations": [first, *_]}:
            return messages(first if isinstance(first, list | dict) else None)
        case {"output": list(items)}:
            return messages(items)
        case {"content": list(parts)}:
            return _turn({"role": "assistant", "content": parts})
    return _request(found)


def _request(found: dict[str, Any]) -> list[Message] | None:
    asked = next((found[name] for name in ASKED if found.get(name)), None)
    turns = messages(asked)
    if turns is None and isinstance(asked, str):
        turns = [Message(role="user", content=asked)]
    rules = next((found[name] for name in RULES if found.get(name)), None)
    return [Message(role="system", content=plain(rules)), *turns] if turns and rules else turns


def _aside(item: Any) -> bool:
    """No turn: a thought, or LangChain's definition of a tool among the messages."""
    match item:
        case {"type": "reasoning"} | {"role": "tool", "content": {"type": "function"}}:
            return True
    return False


def _turn(written: dict[str, Any]) -> list[Message]:
    """The results of tools that stand inside a turn are turns of their own, before it."""
    role = str(written.get("role") or written.get("type"))
    if "toolName" in written or role == "function_call":
        return [Message(role="assistant", content=_call(written))]
    if role == "function_call_output":
        return [Message(role="tool", content=_result(written))]
    role = ROLES.get(role, role)
    content = next((written[name] for name in ("parts", "content", "contents") if written.get(name)), None)
    if role == "tool" and not isinstance(content, list):
        said, results = [plain(content)], []
    else:
        said, results = _parts(content if isinstance(content, list) else [content])
    extra = written.get("additional_kwargs")
    called = written.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, dict) else None)
    said += [_call(each) for each in (called if isinstance(called, list) else [])]
    said += [_call(written["function_call"])] if written.get("function_call") else []
    turns = [Message(role="tool", content=each) for each in results]
    if said or not turns:
        turns.append(Message(role=role, content="\n".join(each for each in said if each)))
    return turns


def _parts(parts: list[Any]) -> tuple[list[str], list[str]]:
    """What was said, calls of tools among it, and apart from it what tools returned."""
    said: list[str] = []
    results: list[str] = []
    for part in parts:
        match part.get("message_content", part) if isinstance(part, dict) else part:
            case {"thought": True}:
                continue
            case {"type": str(kind)} if kind in THOUGHTS:
                continue
            case {"type": str(kind)} as call if kind in CALLS:
                said.append(_call(call))
            case {"type": str(kind)} as result if kind in RESULTS:
                results.append(_result(result))
            case {"functionCall": dict(call)} | {"function_call": dict(call)}:
                said.append(_call(call))
            case {"functionResponse": dict(result)} | {"function_response": dict(result)}:
                results.append(_result(result))
            case None:
                continue
            case str(text) | {"text": str(text)} | {"type": "text", "content": str(text)} | {"refusal": str(text)}:
                said.append(text)
            case {"type": str(kind)}:
                said.append(canonical({"type": kind}))  # a picture, a file: that it was there
            case other:
                said.append(canonical(other))
    return said, results


def _call(written: Any) -> str:
    match written:
        case {"function": dict(call)} | {"tool_call": dict(call)}:
            return _call(call)
        case {"name": str(name)} | {"toolName": str(name)}:
            names = ("arguments", "args", "input", "parameters")
            return tool_call(name, chat.opened(next((written[each] for each in names if each in written), None)))
    return canonical(written)


def _result(written: dict[str, Any]) -> str:
    names = ("response", "result", "output", "content")
    return plain(next((written[each] for each in names if each in written), None))
