"""The result of a measurement and its conditions; as text, as JSON, and as a section of a Markdown page."""

from __future__ import annotations

import json
import math
import os
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from labctl import __version__
from labctl.errors import LabctlError
from labctl.host.files import write_atomically
from labctl.host.host import Host

_SAMPLE_SECONDS = 1.0
_IDLE_PERCENT = 30.0
"""An idle lab uses less, on two processors."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The condition_sentences of a measurement.

    used_before: how much of this host's processors was in use just before, in percent. busy: whether that is more than
    an idle lab uses. load_before, load_after: the load average of the last minute; the measurement adds to it, and
    so do frozen processes.
    """

    command: str
    date: str
    machine: str
    labctl: str
    load_before: float
    load_after: float
    used_before: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether other work was going on."""
        return self.used_before > _IDLE_PERCENT

    def as_json(self) -> dict[str, str | float | bool]:
        """For --output json."""
        return {**asdict(self), "busy": self.busy}


class Recorder:
    """Records the load when it is created, which takes a second, and after the measurement."""

    def __init__(self, host: Host, program: str = "labctl") -> None:
        """program: the beginning of the command line."""
        self._host = host
        self._program = program
        self._before = round(host.load_average(), 2)
        self._used = host.cpu_percent(_SAMPLE_SECONDS)

    def conditions(self) -> Conditions:
        """The conditions since the recorder was created."""
        return Conditions(
            command=command_line(sys.argv, self._program),
            date=time.strftime("%Y-%m-%d %H:%M"),
            machine=machine(self._host),
            labctl=__version__,
            load_before=self._before,
            load_after=round(self._host.load_average(), 2),
            used_before=self._used,
        )


def command_line(argv: list[str], program: str = "labctl") -> str:
    """The command without the lab's directory and the output files."""
    words, command = iter(argv[1:]), [program]
    for word in words:
        if word in {"-C", "--document", "--plot"}:
            next(words, None)
        elif not word.startswith(("--document=", "--plot=")):
            command.append(word)
    return " ".join(command)


def machine(host: Host) -> str:
    """This host in one line: processors, memory, system, kernel."""
    memory = host.memory()[0] / 2**30
    processor = _value(r"^model name\s*: (.+)$", host.read("/proc/cpuinfo")) or host.machine
    system = _value(r'^PRETTY_NAME="?(.+?)"?$', host.read("/etc/os-release")) or host.platform
    return f"{cores()} cores of {processor}, {memory:.0f} GiB, {system}, Linux {host.release}"


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _value(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else ""


_BUSY = "Other work kept this host busy, which changes the figures and the ratios: measure again on an idle host."


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of measured values, the lowest, the highest, and their number."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value. Raises ValueError without any."""
    if not values:
        raise ValueError("nothing was measured")
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratios(upper: Sequence[float], lower: Sequence[float]) -> Spread:
    """The spread of upper / lower, pair by pair: each pair was measured in the same round, under the same load.

    Raises ValueError if the two differ in length or a lower value is 0.
    """
    if 0 in lower:
        raise ValueError("cannot divide by 0")
    return spread([a / b for a, b in zip(upper, lower, strict=True)])


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
    """Rows of text. The first column is the heading of the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement's result. name: of the bench command. notes: sentences on how it was measured and what it means.

    data: the values behind the tables, for --output json.
    """

    name: str
    title: str
    conditions: Conditions
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def format_spread(values: Spread, unit: str = "", *, digits: int = 3) -> str:
    """The median, and in brackets the lowest and highest if there is more than one value."""
    tail = f" {unit}" if unit else ""
    if values.count == 1:
        return f"{format_number(values.median, digits)}{tail}"
    low, high = format_number(values.low, digits), format_number(values.high, digits)
    return f"{format_number(values.median, digits)}{tail} ({low}-{high})"


def format_number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits; all digits before the point are kept."""
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
    parts += [Text(line, style="dim") for line in condition_sentences(figures.conditions)]
    return Group(*parts)


def _rich_table(table: Table) -> RichTable:
    format_spread = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=escape(table.title) or None)
    format_spread.title_justify = "left"
    for index, column in enumerate(table.columns):
        format_spread.add_column(escape(column), justify="left" if index == 0 else "right", overflow="fold")
    for row in table.rows:
        format_spread.add_row(*(escape(cell) for cell in row))
    return format_spread


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
    blocks.append("*" + " ".join(condition_sentences(figures.conditions)) + "*")
    return "\n\n".join(blocks) + "\n"


def _markdown_rows(table: Table) -> Iterator[str]:
    yield _markdown_row(table.columns)
    yield "|" + "|".join("---" if index == 0 else "---:" for index in range(len(table.columns))) + "|"
    for row in table.rows:
        yield _markdown_row(row)


def _markdown_row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def condition_sentences(conditions: Conditions) -> tuple[str, ...]:
    """When and where it was measured, and under which load."""
    lines = (
        f"{conditions.date}, labctl {conditions.labctl}, on {conditions.machine}.",
        f"Just before, {conditions.used_before:.0f} % of the processors were in use; load average "
        f"{conditions.load_before:.1f} before, {conditions.load_after:.1f} after.",
    )
    return (*lines, _BUSY) if conditions.busy else lines


def write_section(page: Path, name: str, text: str) -> None:
    """Put text between the page's markers for that measurement; if it has none, at its end.

    Raises LabctlError if the page can't be read or written.
    """
    try:
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        write_atomically(page, replace_section(before, name, text).encode())
    except OSError as error:
        raise LabctlError(f"{page} cannot be written", where=str(page), why=error.strerror or "") from error


def replace_section(page: str, name: str, text: str) -> str:
    """The page with that section. The markers are comments, which Markdown does not show."""
    begin, end = f"<!-- bench {name}: written by the command, do not edit -->", f"<!-- bench {name}: end -->"
    section = f"{begin}\n{text.rstrip()}\n{end}"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if pattern.search(page):
        return pattern.sub(lambda _: section, page, count=1)
    return f"{page.rstrip()}\n\n{section}\n".lstrip("\n")
