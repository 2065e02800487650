"""One verdict as one page: an HTML file without scripts that asks nothing of any network.

`page` is pure. `written` puts it where the registry and people find it. What is told belongs in `told`, how it looks in
`sections`, `people` and `plots`; all text of people and models passes through `markup`, which escapes it.
"""

import os
import re
from pathlib import Path

from flywheel.gate.report import people, sections
from flywheel.gate.report.markup import Html, text
from flywheel.gate.report.told import Told

__all__ = ["Told", "page", "path", "written"]

SECTIONS = (
    sections.head,
    sections.why,
    sections.gain,
    sections.slices,
    people.costs,
    people.veto,
    sections.beside,
    sections.bridge,
    sections.spent,
    people.examples,
)


def page(told: Told) -> str:
    """The whole file."""
    verdict = told.verdict
    title = text(f"{verdict['verdict']}: {verdict['workload']}, cycle {verdict['cycle']}")
    made = {"{title}": title, "{body}": Html("\n".join(each(told) for each in SECTIONS))}
    template = Path(__file__).with_name("page.html").read_text()
    return re.sub("|".join(map(re.escape, made)), lambda place: made[place[0]], template)


def path(home: Path, workload: str, cycle: int) -> Path:
    """Where the page of a cycle lies."""
    return home / "gate" / "reports" / f"{workload}-{cycle}.html"


def written(home: Path, told: Told) -> Path:
    """Put the page in place at once; the same verdict gives the same bytes."""
    out = path(home, told.verdict["workload"], told.verdict["cycle"])
    out.parent.mkdir(parents=True, exist_ok=True)
    half = out.with_suffix(f".{os.getpid()}.half")
    half.write_text(page(told), encoding="utf-8")
    half.replace(out)
    return out
