"""The public contract of the log as JSON Schema, made from the event types and the line of meaning under each field.

`python -m flywheel.capture.schema` prints it; `docs/events.schema.json` is that output. What a field means is written
in `flywheel.capture.events` and nowhere else.
"""

import ast
import inspect
import json
from dataclasses import MISSING, Field, fields
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from flywheel.capture import events

JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema() -> dict[str, Any]:
    """Draft 2020-12: one object a log line, exactly one of the kinds."""
    meanings = _meanings()
    kinds = {name: _object(kind, meanings, kind=name) for name, kind in events.KINDS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of the log",
        "description": "One event, one JSON object a line, appended. Fields that the product cannot know are left out.",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds],
        "$defs": {**kinds, "message": _object(events.Message, meanings)},
    }


def _object(described: type, meanings: dict[str, dict[str, str]], *, kind: str = "") -> dict[str, Any]:
    hints = get_type_hints(described)
    lineage = [each.__name__ for each in reversed(described.__mro__)]
    meaning = {name: text for each in lineage for name, text in meanings.get(each, {}).items()}
    properties = {each.name: _property(each, hints[each.name], meaning[each.name]) for each in fields(described)}
    required = [each.name for each in fields(described) if each.default is MISSING and each.default_factory is MISSING]
    if kind:
        first = {"kind": {"const": kind}, "v": {"const": events.VERSION, "description": meaning["v"]}}
        properties = first | {name: each for name, each in properties.items() if name != "v"}
        required = ["kind", "v", *required]
    return {
        "description": inspect.getdoc(described),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _property(each: Field[Any], hint: Any, meaning: str) -> dict[str, Any]:
    described = {"description": meaning, **_type(hint), **each.metadata}
    if each.default is not MISSING and each.default is not None:
        described["default"] = each.default
    return described


def _type(hint: Any) -> dict[str, Any]:
    if hint is Any:
        return {}
    if hint is events.Message:
        return {"$ref": "#/$defs/message"}
    if get_origin(hint) in (UnionType, Union):
        return {"type": [JSON_TYPES[each] for each in get_args(hint)]}
    if get_origin(hint) is list:
        return {"type": "array", "items": _type(get_args(hint)[0])}
    if get_origin(hint) is dict:
        values = _type(get_args(hint)[1])
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    return {"type": JSON_TYPES[hint]}


def _meanings() -> dict[str, dict[str, str]]:
    """Class name -> field name -> the string that stands under the field."""
    classes = [node for node in ast.parse(inspect.getsource(events)).body if isinstance(node, ast.ClassDef)]
    return {each.name: dict(_described_fields(each)) for each in classes}


def _described_fields(described: ast.ClassDef) -> list[tuple[str, str]]:
    found = []
    for above, below in zip(described.body, described.body[1:], strict=False):
        match above, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found.append((name, text))
    return found


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))  # noqa: T201
