"""The report as a person reads it: what is broken first, then a line per layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from labctl.checks.check import CheckResult, Status, counted, listed
from labctl.checks.report import Report, explain
from labctl.checks.verdict import root_causes

_MARKS = {
    Status.PASS: ("✓", "green"),
    Status.FAIL: ("✗", "bold red"),
    Status.BLOCKED: ("·", "yellow"),
    Status.SKIPPED: ("-", "dim"),
}


def render_table(report: Report, *, every_check: bool = False, with_explanation: bool = False) -> RenderableType:
    """What to show for a report.

    every_check: a line per check instead of one per layer. with_explanation: a paragraph for each root cause.
    """
    parts: list[RenderableType] = [_root_cause(report.result(id_), with_explanation) for id_ in report.root_causes]
    parts.append(_checks(report) if every_check else _layers(report))
    parts.append(summary(report))
    return Group(*parts)


def summary(report: Report) -> Text:
    """The last line: the counts, and how long it took."""
    mark, style = _MARKS[Status.PASS if report.ok else Status.FAIL]
    well = "these checks pass" if report.left_out else "all checks pass"
    said = well if report.ok else f"{counted(len(report.root_causes), 'root cause')}"
    elsewhere = root_causes(report.left_out)
    more = f"; of the others, {listed(elsewhere, most=2)} fails" if elsewhere else ""
    return Text(f"{mark} {report.lab}: {said} ({report.counts()}) in {report.seconds:.1f} s{more}", style=style)


def _root_cause(result: CheckResult, with_explanation: bool) -> RenderableType:
    check, outcome = result.check, result.outcome
    mark, style = _MARKS[result.status]
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in (
        ("observed", outcome.observed),
        ("expected", check.expected),
        ("cause", outcome.cause),
        ("next", outcome.hint),
    ):
        if value:
            grid.add_row(f"  {name}", escape(value))
    stand_in = "  (stand-in)" if check.stand_in else ""
    heading = Text.assemble((f"{mark} {check.id}", style), (f"  {check.title}", "bold"), (stand_in, "dim"))
    parts: list[RenderableType] = [heading, grid]
    if with_explanation:
        parts.append(Padding(Text(explain(result)), (0, 0, 0, 2)))
    return Group(*parts, Text())


def _layers(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for layer, results, worst in report.by_layer():
        mark, style = _MARKS[worst]
        good = sum(1 for result in results if result.status is Status.PASS)
        others = "; ".join(_others(results))
        table.add_row(Text(f"{mark} {layer.value}", style=style), f"{good}/{len(results)}", escape(others))
    return table


def _others(results: Sequence[CheckResult]) -> Iterator[str]:
    """What did not pass: failures by id, the rest by number; a skipped check says why."""
    for result in results:
        if result.status is Status.FAIL:
            yield f"{result.id} fails"
    blocked = sum(1 for result in results if result.status is Status.BLOCKED)
    if blocked:
        yield f"{blocked} blocked"
    for result in results:
        if result.status is Status.SKIPPED:
            yield f"{result.id} skipped: {result.outcome.observed}"


def _checks(report: Report) -> Table:
    table = Table(box=None, padding=(0, 1), show_edge=False)
    for title in ("", "check", "machine", "observed"):
        table.add_column(title, overflow="fold")
    for _, results, _ in report.by_layer():
        for result in results:
            mark, style = _MARKS[result.status]
            stand_in = " (stand-in)" if result.check.stand_in else ""
            table.add_row(
                Text(mark, style=style), f"{result.id}{stand_in}", result.check.machine, escape(result.outcome.observed)
            )
    return table
