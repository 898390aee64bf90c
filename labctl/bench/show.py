"""Figures for a terminal, for a program, and for a Markdown page."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from labctl.bench.conditions import Conditions
from labctl.bench.figures import Figures, Table

_BUSY = "Other work kept this host busy: on a quiet one the figures are others, ratios too. Measure again there."


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
