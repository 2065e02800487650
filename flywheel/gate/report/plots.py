"""Plots as inline SVG that grows with the page: all places are shares of its width, all colours classes of the page.

A mark never stands alone: each plot has an axis, a label for readers of screens, and its legend.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from flywheel.gate.report.markup import Html, join, tag

STEPS = (1, 2, 2.5, 5, 10)
MOST_TICKS = 5


class Row(NamedTuple):
    """A number with the ends of its interval, what it is called, and what is told of it in words."""

    name: str
    ends: tuple[float | None, float | None, float | None]
    said: str
    look: str = "candidate"


class Scale(NamedTuple):
    """From values to shares of the width."""

    low: float
    high: float

    def at(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(1.0, max(0.0, share)):.2f}%"

    def ticks(self) -> list[float]:
        """A few round values."""
        rough = (self.high - self.low) / MOST_TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(step * power for step in STEPS if step * power >= rough * 0.999)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [round(step * number, 12) for number in range(first, last + 1)]


def scale(values: Iterable[float | None]) -> Scale:
    """Room for all finite values."""
    known = [value for value in values if value is not None and math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 0.1
    return Scale(low - room, high + room)


def forest(rows: Sequence[Row], marks: Mapping[str, float], *, signed: bool = False) -> Html:
    """Intervals below each other on one axis; `marks` are lines across all of them, by their class."""
    over = scale([*marks.values(), *(number for row in rows for number in row.ends)])
    drawn = [_row(row, over, marks) for row in rows]
    return tag("div", *drawn, _axis(over, signed), class_="forest")


def stack(parts: Mapping[str, int], name: str) -> Html:
    """Shares of a whole, side by side; the parts are named by their class."""
    total = sum(parts.values())
    at, drawn = 0.0, []
    for look, count in parts.items():
        if count:
            width = 100 * count / total
            title = tag("title", f"{look}: {count} of {total}")
            drawn.append(
                tag("rect", title, x=f"{at:.2f}%", y=4, width=f"{width:.2f}%", height=16, class_=f"part {look}")
            )
            at += width
    said = f"{name}: " + ", ".join(f"{count} {look}" for look, count in parts.items())
    return tag("svg", *drawn, class_="plot", role="img", aria_label=said)


def legend(entries: Mapping[str, str]) -> Html:
    """What each mark means: by its class, in words."""
    return tag(
        "p",
        *(tag("span", _sample(look), said, class_="entry") for look, said in entries.items()),
        class_="legend",
    )


def _row(row: Row, over: Scale, marks: Mapping[str, float]) -> Html:
    lines = [_line(over, value, look) for look, value in marks.items()]
    drawn = tag("svg", *lines, _interval(row, over), class_="plot", role="img", aria_label=f"{row.name}: {row.said}")
    return _placed(row.name, drawn, row.said, "row")


def _interval(row: Row, over: Scale) -> Html:
    """A dot on its line; an interval without an end runs off the plot."""
    value, low, high = row.ends
    if value is None:
        return tag("text", "cannot tell", x=over.at((over.low + over.high) / 2), y="60%", class_="none")
    span = None
    if low is not None and high is not None:
        span = tag("line", x1=over.at(low), x2=over.at(high), y1="50%", y2="50%", class_=f"span {row.look}")
    dot = tag("circle", tag("title", row.said), cx=over.at(value), cy="50%", r=5, class_=f"dot {row.look}")
    return join(span, dot)


def _axis(over: Scale, signed: bool) -> Html:
    ticks = [
        tag("text", f"{value:+g}" if signed and value else f"{value:g}", x=over.at(value), y=15, class_="tick")
        for value in over.ticks()
    ]
    drawn = tag("svg", *ticks, class_="plot", aria_hidden="true")
    return _placed("", drawn, "", "row axis")


def _placed(name: str, drawn: Html, said: str, look: str) -> Html:
    """The name, the plot in an area that is as high as the name needs, the numbers."""
    said_, area = tag("span", said, class_="said"), tag("div", drawn, class_="area")
    return tag("div", tag("span", name, class_="name"), said_, area, class_=look)


def _line(over: Scale, value: float, look: str) -> Html:
    return tag("line", x1=over.at(value), x2=over.at(value), y1=0, y2="100%", class_=f"mark {look}")


def _sample(look: str) -> Html:
    """A mark by itself, as it looks in the plot."""
    kind, _, name = look.partition(" ")
    if kind == "mark":
        drawn = tag("line", x1=13, x2=13, y1=1, y2=15, class_=look)
    elif kind == "dot":
        span = tag("line", x1=2, x2=24, y1=8, y2=8, class_=f"span {name}")
        drawn = join(span, tag("circle", cx=13, cy=8, r=5, class_=look))
    else:
        drawn = tag("rect", x=2, y=2, width=22, height=12, class_=look)
    return tag("svg", drawn, width=26, height=16, class_="sample", aria_hidden="true")
