"""The tour in a terminal: how a stop, a command, its output and its claims are printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from labctl.tour.stop import Call, Claim, ShownCommand, Stop, Visit
from labctl.tour.walk import TourDisplay

_MOST = 22
_AROUND = 1
_LEAST_HIDDEN = 3


def shorten(text: str, marks: Iterable[str]) -> tuple[str, ...]:
    """The lines of the text; of a long one only those near a mark, and `⋮ N lines` for each gap.

    Long is more than 22 lines. Text without any mark in it is only cut at its end.
    """
    lines = text.splitlines()
    if len(lines) <= _MOST:
        return tuple(lines)
    wanted = [re.compile(mark) for mark in marks]
    hits = [index for index, line in enumerate(lines) if any(mark.search(line) for mark in wanted)]
    if not hits:
        return (*lines[: _MOST - 1], _gap(len(lines) - _MOST + 1))
    kept = {index + offset for index in hits for offset in range(-_AROUND, _AROUND + 1)}
    return tuple(_folded(lines, kept))


def _folded(lines: list[str], kept: set[int]) -> Iterator[str]:
    hidden: list[str] = []
    for index, line in enumerate(lines):
        if index not in kept:
            hidden.append(line)
            continue
        yield from _short(hidden)
        hidden = []
        yield line
    yield from _short(hidden)


def _short(hidden: list[str]) -> list[str]:
    return hidden if len(hidden) < _LEAST_HIDDEN else [_gap(len(hidden))]


def _gap(count: int) -> str:
    return f"⋮ {count} lines"


def marked(text: str, marks: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """Where marks match in a line, as (start, end), from left to right and without overlaps."""
    spans = sorted((match.start(), match.end()) for mark in marks for match in re.finditer(mark, text) if match.group())
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


class TerminalDisplay(TourDisplay):
    """Prints everything, and pauses after each stop.

    resume_at: called with each stop's name, so that an interrupted tour can say where to go on.
    """

    def __init__(self, out: Console, resume_at: Callable[[str], None], *, pause: bool) -> None:
        self._out = out
        self._resume_at = resume_at
        self._pause = pause

    def enter_stop(self, visit: Visit, total: int) -> None:
        """Print the stop's heading."""
        self._resume_at(visit.stop.name)
        self._out.print(heading(visit, total))

    def start_command(self, call: Call) -> None:
        """Print the command."""
        self._out.print(command(call), soft_wrap=True)

    def end_command(self, command: ShownCommand) -> None:
        """Print the command's output."""
        if command.output:
            self._out.print(output(command))

    def show_claim(self, claim: Claim) -> None:
        """Print the claim, and whether it holds."""
        self._out.print(verdict(claim))

    def leave_stop(self, visit: Visit, *, last: bool) -> None:
        """Wait for Enter."""
        if self._pause and not last:
            self._out.print("Press Enter to continue, Ctrl-C to end the tour", style="dim", end=" ")
            if not sys.stdin.readline():
                self._pause = False
        self._out.print()


class ProgressDisplay(TourDisplay):
    """Prints one line per stop."""

    def __init__(self, out: Console) -> None:
        self._out = out

    def leave_stop(self, visit: Visit, *, last: bool) -> None:
        """Print whether the stop's claims held."""
        self._out.print(short(visit))


def heading(visit: Visit, total: int) -> RenderableType:
    """The title of a stop and why we stand here."""
    title = Text.assemble((f"{visit.number}/{total} ", "dim"), (visit.stop.title, "bold"))
    name = Text(f"  {visit.stop.name}", style="dim")
    return Group(Rule(style="dim"), title + name, Padding(prose(visit.stop.why), (0, 0, 1, 0), expand=False))


def prose(words: str) -> Text:
    """Sentences in which what stands between backticks is something to type."""
    text = Text()
    for index, part in enumerate(words.split("`")):
        text.append(part, style="cyan" if index % 2 else "")
    return text


def command(call: Call) -> Text:
    """The command as one types it."""
    return Text.assemble(("$ ", "dim"), (call.typed, "bold cyan"))


def output(shot: ShownCommand) -> RenderableType:
    """What it printed, folded, with the part that matters highlighted."""
    text = Text()
    for line in shorten(shot.output, shot.marks):
        shown = Text(_printable(line), style="dim italic" if line.startswith("⋮") else "")
        for start, end in marked(line, shot.marks):
            shown.stylize("bold black on yellow", start, end)
        text.append_text(shown).append("\n")
    return Padding(text, (0, 0, 0, 2), expand=False)


def verdict(claim: Claim) -> Text:
    """One line: whether what was claimed is to be seen."""
    if claim.holds:
        text = Text.assemble(("✓ ", "bold green"), (claim.text, "green"))
        return text.append(f"  {claim.seen}", style="dim") if claim.seen else text
    text = Text.assemble(("✗ expected: ", "bold red"), (claim.text, "red"))
    return text.append(f"\n  seen: {claim.seen}") if claim.seen else text


def short(visit: Visit) -> Text:
    """A stop on one line, for those who only want to know how far it is."""
    mark, style = ("✓", "green") if visit.ok else ("✗", "bold red")
    line = Text.assemble((f"{mark} ", style), (visit.stop.name, style), f"  {visit.stop.title}")
    for claim in visit.claims:
        if not claim.holds:
            line.append(f"\n  expected: {claim.text}; seen: {claim.seen or 'something else'}", style="red")
    return line


def summary(visits: Sequence[Visit]) -> Text:
    """The last line."""
    failed = [visit.stop.name for visit in visits if not visit.ok]
    claims = sum(len(visit.claims) for visit in visits)
    if not failed:
        return Text(f"✓ {len(visits)} stops, {claims} claims: all seen", style="bold green")
    return Text(f"✗ not as claimed at: {', '.join(failed)}", style="bold red")


def listing(stops: Sequence[Stop]) -> Text:
    """All stops, a line each."""
    width = max(len(stop.name) for stop in stops)
    lines = [f"{number:>2}  {stop.name:<{width}}  {stop.title}" for number, stop in enumerate(stops, start=1)]
    return Text("\n".join(lines))


def _printable(line: str) -> str:
    """A line of a machine without what could steer the terminal; as long as before, so that marks stay in place."""
    return "".join(char if char.isprintable() else " " for char in line)
