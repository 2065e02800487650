"""What people see on an asset: columns, row count, a few rows, a small plot. SVG, so that nothing is fetched."""

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import dagster as dg
import polars as pl
from flywheel.tables import TABLES

SHORT = 60
WIDE = 160
"""Room for the names beside bars."""


def columns(table: str) -> dg.TableSchema:
    """The contract of a table, as Dagster shows it."""
    contract = TABLES[table]
    description = {
        name: "part of the key" if column.primary_key else None for name, column in contract.columns().items()
    }
    types = contract.create_empty().schema
    return dg.TableSchema(
        columns=[dg.TableColumn(name, str(types[name]), description=description[name]) for name in contract.columns()]
    )


def spec(table: str, **options: Any) -> dg.AssetSpec:
    """An asset that is a table: what it says of itself and its columns come from the contract."""
    told = " ".join((TABLES[table].__doc__ or "").split())
    return dg.AssetSpec(table, description=told, metadata={"dagster/column_schema": columns(table)}, **options)


def rows(frame: pl.DataFrame, *, show: Sequence[str] = (), limit: int = 8) -> dict[str, Any]:
    """Row count and the first rows of a frame."""
    told: dict[str, Any] = {"dagster/row_count": len(frame)}
    if show and len(frame):
        told["rows"] = table(frame.select(show).head(limit).to_dicts())
    return told


def table(records: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """Records as a Markdown table; long text is cut for the eye only."""
    if not records:
        return dg.MetadataValue.md("(no rows)")
    names = list(records[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(record[name]) for name in names) + " |" for record in records]
    return dg.MetadataValue.md("\n".join(lines))


def bars(values: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    """Horizontal bars, one a name."""
    top = max([*values.values(), 1e-12])
    drawn = "".join(
        f'<text x="0" y="{18 * row + 13}">{escape(name[:26])}</text>'
        f'<rect x="{WIDE}" y="{18 * row + 3}" width="{160 * value / top:.0f}" height="12" fill="#4f43dd"/>'
        f'<text x="{WIDE + 6 + 160 * value / top:.0f}" y="{18 * row + 13}">{value:g}</text>'
        for row, (name, value) in enumerate(values.items())
    )
    return _svg(drawn, width=WIDE + 220, height=18 * len(values) + 4)


def curve(points: Sequence[float]) -> dg.MarkdownMetadataValue:
    """A line over equal steps, with its greatest, first and last value."""
    low, high = min(points, default=0.0), max(points, default=1.0)
    span, steps = (high - low) or 1.0, max(len(points) - 1, 1)
    path = " ".join(f"{260 * x / steps:.1f},{70 - 60 * (y - low) / span:.1f}" for x, y in enumerate(points))
    ends = f"{points[0]:.3g} to {points[-1]:.3g}" if points else "no points"
    return _svg(
        f'<polyline points="{path}" fill="none" stroke="#4f43dd"/><text x="0" y="88">{ends}</text>',
        width=270,
        height=92,
    )


def progress(context: dg.AssetExecutionContext, what: str) -> Callable[[int, int], None]:
    """Tells in the run's log how far a long derivation is."""

    def tell(done: int, of: int) -> None:
        if of > 1:
            context.log.info(f"{what} {done} of {of}")

    return tell


def _svg(drawn: str, *, width: int, height: int) -> dg.MarkdownMetadataValue:
    style = 'font-family="sans-serif" font-size="11" fill="#555"'
    image = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>{drawn}</svg>'
    return dg.MetadataValue.md(f"![plot](data:image/svg+xml;base64,{base64.b64encode(image.encode()).decode()})")


def _cell(value: Any) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
