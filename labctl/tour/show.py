"""The tour in a terminal: what is printed for a stop, a command, its output and what was claimed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from labctl.tour.call import Call
from labctl.tour.fold import fold, marked
from labctl.tour.seen import Claim, Shot
from labctl.tour.stop import Stop, Visit


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


def output(shot: Shot) -> RenderableType:
    """What it printed, folded, with the part that matters highlighted."""
    text = Text()
    for line in fold(shot.output, shot.marks):
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
