"""The tour in a terminal: how a stop, its commands, their output and its claims are printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from labctl.text import printable
from labctl.tour.runner import Claim, Command, ShownCommand, Stop, TourDisplay, Visit

_MAX_LINES = 22
_CONTEXT = 1
_MIN_HIDDEN = 3


def shorten(text: str, marks: Iterable[str]) -> tuple[str, ...]:
    """The lines of a text; of more than 22 lines only those near a mark, with `⋮ N lines` for each gap.

    marks: regular expressions. If none matches, the text is cut at its end.
    """
    lines = text.splitlines()
    if len(lines) <= _MAX_LINES:
        return tuple(lines)
    patterns = [re.compile(mark) for mark in marks]
    matching = [index for index, line in enumerate(lines) if any(pattern.search(line) for pattern in patterns)]
    if not matching:
        return (*lines[: _MAX_LINES - 1], _gap(len(lines) - _MAX_LINES + 1))
    visible = {index + offset for index in matching for offset in range(-_CONTEXT, _CONTEXT + 1)}
    return tuple(_with_gaps(lines, visible))


def _with_gaps(lines: list[str], visible: set[int]) -> Iterator[str]:
    hidden: list[str] = []
    for index, line in enumerate(lines):
        if index not in visible:
            hidden.append(line)
            continue
        yield from _hide(hidden)
        hidden = []
        yield line
    yield from _hide(hidden)


def _hide(hidden: list[str]) -> list[str]:
    return hidden if len(hidden) < _MIN_HIDDEN else [_gap(len(hidden))]


def _gap(count: int) -> str:
    return f"⋮ {count} lines"


def highlighted_spans(line: str, marks: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """Where marks match in a line: (start, end), from left to right, overlapping and adjacent ones joined."""
    spans = sorted((match.start(), match.end()) for mark in marks for match in re.finditer(mark, line) if match.group())
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

    def start_command(self, command: Command) -> None:
        """Print the command."""
        self._out.print(command_line(command), soft_wrap=True)

    def end_command(self, command: ShownCommand) -> None:
        """Print the command's output."""
        if command.output:
            self._out.print(command_output(command))

    def show_claim(self, claim: Claim) -> None:
        """Print the claim, and whether it holds."""
        self._out.print(claim_line(claim))

    def leave_stop(self, visit: Visit, *, last: bool) -> None:
        """Wait for Enter."""
        if self._pause and not last:
            self._out.print("Press Enter to continue, Ctrl-C to end the tour", style="dim", end=" ")
            if not sys.stdin.readline():
                self._pause = False
        self._out.print()


class OneLineDisplay(TourDisplay):
    """Prints one line per stop."""

    def __init__(self, out: Console) -> None:
        self._out = out

    def leave_stop(self, visit: Visit, *, last: bool) -> None:
        """Print whether the stop's claims held."""
        self._out.print(stop_line(visit))


def heading(visit: Visit, total: int) -> RenderableType:
    """The title of a stop and its explanation."""
    title = Text.assemble((f"{visit.number}/{total} ", "dim"), (visit.stop.title, "bold"))
    name = Text(f"  {visit.stop.name}", style="dim")
    return Group(Rule(style="dim"), title + name, Padding(prose(visit.stop.why), (0, 0, 1, 0), expand=False))


def prose(words: str) -> Text:
    """Sentences; what is between backticks is highlighted as something to type."""
    text = Text()
    for index, part in enumerate(words.split("`")):
        text.append(part, style="cyan" if index % 2 else "")
    return text


def command_line(command: Command) -> Text:
    """The command as a user types it."""
    return Text.assemble(("$ ", "dim"), (command.typed, "bold cyan"))


def command_output(command: ShownCommand) -> RenderableType:
    """What it printed, shortened, with the parts that matter highlighted."""
    text = Text()
    for line in shorten(command.output, command.marks):
        shown = Text(printable(line.replace("\t", " ")), style="dim italic" if line.startswith("⋮") else "")
        for start, end in highlighted_spans(line, command.marks):
            shown.stylize("bold black on yellow", start, end)
        text.append_text(shown).append("\n")
    return Padding(text, (0, 0, 0, 2), expand=False)


def claim_line(claim: Claim) -> Text:
    """Whether the claim holds; if not, what was seen instead."""
    if claim.holds:
        text = Text.assemble(("✓ ", "bold green"), (claim.text, "green"))
        return text.append(f"  {claim.seen}", style="dim") if claim.seen else text
    text = Text.assemble(("✗ expected: ", "bold red"), (claim.text, "red"))
    return text.append(f"\n  seen: {claim.seen}") if claim.seen else text


def stop_line(visit: Visit) -> Text:
    """A stop on one line, and one more for each claim that does not hold."""
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
        return Text(f"✓ {len(visits)} stops, {claims} claims: all hold", style="bold green")
    return Text(f"✗ claims do not hold at: {', '.join(failed)}", style="bold red")


def listing(stops: Sequence[Stop]) -> Text:
    """All stops, one per line."""
    width = max(len(stop.name) for stop in stops)
    lines = [f"{number:>2}  {stop.name:<{width}}  {stop.title}" for number, stop in enumerate(stops, start=1)]
    return Text("\n".join(lines))
