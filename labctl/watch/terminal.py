"""watch in a terminal: the same view, drawn with rich."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from labctl.text import printable
from labctl.watch.changes import Event
from labctl.watch.view import BAD, GOOD, NUMBER, WAIT, Cell, Table, Verdict, View

_STYLES = {GOOD: "green", BAD: "bold red", WAIT: "yellow", NUMBER: "bold"}
_VERDICTS = {"ok": ("✓", "green"), "broken": ("✗", "red"), "checking": ("…", "yellow")}
_MAX_EVENTS = 8
_TWO_COLUMNS = 120
"""The width in characters from which there is room for two tables side by side."""


class Screen:
    """The whole terminal while watch runs. show() may be called from any thread."""

    def __init__(self, console: Console) -> None:
        self._console = console
        first = Text("Checking the lab …", style="yellow")
        self._live = Live(first, console=console, screen=True, auto_refresh=False, redirect_stderr=False)

    def __enter__(self) -> Screen:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, view: View, events: tuple[Event, ...]) -> None:
        """Draw the view."""
        self._live.update(render(view, events, self._console.width), refresh=True)

    def wait(self) -> None:
        """Until Ctrl-C."""
        threading.Event().wait()


def render(view: View, events: tuple[Event, ...], width: int) -> RenderableType:
    """The view for a terminal of that width, in characters."""
    tables = [_table(table) for table in view.tables]
    recent = _events(events[:_MAX_EVENTS])
    if width < _TWO_COLUMNS:
        return Group(_headline(view), *tables, recent)
    sides = Grid.grid(expand=True, padding=(0, 2))
    sides.add_column(ratio=1)
    sides.add_column(ratio=1)
    sides.add_row(Group(*tables[:2], recent), Group(*tables[2:]))
    return Group(_headline(view), sides)


def _headline(view: View) -> RenderableType:
    verdict: Verdict = view.verdict
    mark, color = _VERDICTS[verdict.state]
    text = Text(f"{mark} {printable(verdict.title)}", style=f"bold {color}")
    if verdict.check:
        text.append(f"\n{printable(verdict.check)} {printable(verdict.failed)}", style="default")
    for other in verdict.others:
        text.append(f"\n- {printable(other)}", style="default")
    if verdict.hint:
        text.append("\nnext: ", style="dim").append(printable(verdict.hint), style="bold cyan")
    counts = f"checking again … {verdict.counts}" if verdict.checking and verdict.counts else verdict.counts
    return Panel(text, title=f"labctl watch: {view.lab}", subtitle=counts, border_style=color)


def _table(table: Table) -> RenderableType:
    grid = Grid(
        title=table.title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), show_edge=False
    )
    for heading in table.headings:
        number = heading in ("requests", "routes")
        grid.add_column(heading, header_style="dim", justify="right" if number else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*_cells(row))
    if not table.rows:
        return Group(Text(table.title, style="bold"), Text(table.empty, style="dim"), Text())
    return Group(grid, Text())


def _cells(row: Iterable[Cell]) -> Iterable[Text]:
    return [Text(printable(cell.text), style=_STYLES.get(cell.style, "")) for cell in row]


def _events(events: tuple[Event, ...]) -> RenderableType:
    lines = [Text("Events", style="bold")]
    for event in events:
        line = Text.assemble((f"{event.when}  ", "dim"), (printable(event.text), _STYLES.get(event.style, "")))
        lines.append(line)
    return Group(*lines)
