"""HTML that no text can leave: whatever was not made here is escaped. What stands on the page belongs in `sections`."""

import re
import unicodedata
from html import escape

ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, halves of pairs, and what turns the direction of writing: shown, never obeyed."""


class Html(str):
    """Markup; made by `tag` and `join` alone."""


Part = str | None


def tag(name: str, /, *inside: Part, **attributes: str | float | None) -> Html:
    """An element. An attribute `class_` is `class`, `stroke_width` is `stroke-width`; None is left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{told}>{join(*inside)}</{name}>")


def join(*parts: Part) -> Html:
    """One after the other; strings that are no markup become text."""
    return Html("".join(part if isinstance(part, Html) else text(part) for part in parts if part is not None))


def text(said: str) -> Html:
    """Anybody's text as text."""
    return Html(escape(ODD.sub(_seen, said)))


def table(head: list[str], rows: list[list[Part]], caption: str | None = None) -> Html:
    """A table that scrolls by itself where it is too wide; the first column names the row."""
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    made = tag("table", caption and tag("caption", caption), tag("thead", top), tag("tbody", *body))
    return tag("div", made, class_="scroll", tabindex=0)


def _seen(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\r":
        return ""
    return "\ufffd" if unicodedata.category(character) == "Cs" else f"[U+{ord(character):04X}]"
