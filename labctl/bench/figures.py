"""What a measurement found: spreads, tables and conditions; as text, as JSON, and as a section of a Markdown page."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from labctl.bench.conditions import Conditions
from labctl.errors import LabctlError
from labctl.host.files import write_atomically

_BUSY = "Other work kept this host busy. On a quiet host the figures differ, and so do the ratios: measure again there."


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of measured values, the lowest and the highest, and how many there were."""

    median: float
    low: float
    high: float
    count: int

    def as_json(self) -> dict[str, float | int]:
        """For --output json."""
        return {"median": self.median, "low": self.low, "high": self.high, "count": self.count}


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value. Raises ValueError without any."""
    if not values:
        raise ValueError("nothing was measured")
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratios(upper: Sequence[float], lower: Sequence[float]) -> Spread:
    """The spread of upper / lower, value by value: each pair was measured in the same round, under the same load.

    Raises ValueError where the two differ in length or a lower value is 0.
    """
    if 0 in lower:
        raise ValueError("a ratio to nothing")
    return spread([above / below for above, below in zip(upper, lower, strict=True)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent of the values do not exceed (nearest rank).

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text. The first column names what a row is about."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement's result. name: the bench command's. notes: sentences on how it was measured and what it says.

    data: the values behind the tables, for --output json.
    """

    name: str
    title: str
    conditions: Conditions
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def shown(found: Spread, unit: str = "", *, digits: int = 3) -> str:
    """A spread as text: the median, and in brackets the lowest and highest where there was more than one value."""
    tail = f" {unit}" if unit else ""
    if found.count == 1:
        return f"{number(found.median, digits)}{tail}"
    return f"{number(found.median, digits)}{tail} ({number(found.low, digits)}-{number(found.high, digits)})"


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, written out; the digits before the point are all kept."""
    if value == 0:
        return "0"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if whole:
        return f"{value:,.{max(0, digits - whole)}f}".replace(",", " ")
    return f"{value:.{digits}g}"


def as_text(figures: Figures) -> RenderableType:
    """Tables, notes and conditions for a terminal."""
    parts: list[RenderableType] = [Text(figures.title, style="bold"), Text()]
    for table in figures.tables:
        parts += [_rich_table(table), Text()]
    parts += [Text(f"• {note}") for note in figures.notes]
    parts += [Text(line, style="dim") for line in circumstances(figures.conditions)]
    return Group(*parts)


def _rich_table(table: Table) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=escape(table.title) or None)
    shown.title_justify = "left"
    for index, column in enumerate(table.columns):
        shown.add_column(escape(column), justify="left" if index == 0 else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*(escape(cell) for cell in row))
    return shown


def as_json(figures: Figures) -> str:
    """One object: the measurement's name, its values and its conditions."""
    document = {
        "bench": figures.name,
        **figures.data,
        "notes": list(figures.notes),
        "conditions": figures.conditions.as_json(),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_markdown(figures: Figures) -> str:
    """A section of a page, with its heading."""
    blocks = [f"## {figures.title}", f"`{figures.conditions.command}`"]
    for table in figures.tables:
        blocks += [f"**{table.title}**"] if table.title else []
        blocks.append("\n".join(_markdown_rows(table)))
    if figures.notes:
        blocks.append("\n".join(f"* {note}" for note in figures.notes))
    blocks.append("*" + " ".join(circumstances(figures.conditions)) + "*")
    return "\n\n".join(blocks) + "\n"


def _markdown_rows(table: Table) -> Iterator[str]:
    yield _markdown_row(table.columns)
    yield "|" + "|".join("---" if index == 0 else "---:" for index in range(len(table.columns))) + "|"
    for row in table.rows:
        yield _markdown_row(row)


def _markdown_row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def circumstances(conditions: Conditions) -> tuple[str, ...]:
    """When, where and beside which load, as sentences."""
    lines = (
        f"{conditions.date}, labctl {conditions.labctl}, on {conditions.machine}.",
        f"Just before, {conditions.used_before:.0f} % of the processors were in use; load average "
        f"{conditions.load_before:.1f} before, {conditions.load_after:.1f} after.",
    )
    return (*lines, _BUSY) if conditions.busy else lines


def write_section(page: Path, name: str, text: str) -> None:
    """Put text between the page's marks for that measurement; where it has none, at the page's end.

    Raises LabctlError if the page can't be read or written.
    """
    try:
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        write_atomically(page, with_section(before, name, text).encode())
    except OSError as error:
        raise LabctlError(f"{page} cannot be written", where=str(page), why=error.strerror or "") from error


def with_section(page: str, name: str, text: str) -> str:
    """The page with that section. The marks are comments, which Markdown does not show."""
    begin, end = f"<!-- bench {name}: written by the command, do not edit -->", f"<!-- bench {name}: end -->"
    section = f"{begin}\n{text.rstrip()}\n{end}"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if found.search(page):
        return found.sub(lambda _: section, page, count=1)
    return f"{page.rstrip()}\n\n{section}\n".lstrip("\n")
