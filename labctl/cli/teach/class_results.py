"""``labctl class status``, ``verify`` and ``grade``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

import click

from labctl.checks.report import Report
from labctl.checks.verify import verify as run_checks
from labctl.classroom import results as shown
from labctl.classroom.results import SeatStatus, seat_status
from labctl.classroom.side_by_side import Result
from labctl.cli.app import Application, pass_app
from labctl.cli.inspect.verify import CONNECT_SECONDS, report_saver
from labctl.cli.options import output_option
from labctl.cli.output import table, write_json
from labctl.cli.teach.class_group import on_seats, print_errors, some_seats
from labctl.faults import grade as grading
from labctl.faults import state
from labctl.faults.grade import Grade


@click.command()
@some_seats
@output_option("table", "json")
@pass_app
def status(app: Application, seats: tuple[str, ...], output: str) -> int:
    """Show each seat's machines and what they use of their limits, without judging: `labctl class verify` does that."""
    results = on_seats(app, seats, lambda seat: seat_status(seat.lab(), seat.lab_files(), app.host))
    found = [result.value for result in results if result.value is not None]
    if output == "json":
        write_json(app, {"seats": [asdict(row) for row in found]})
    else:
        _print(app, found)
    return 0 if print_errors(app, results) else 1


def _print(app: Application, statuses: list[SeatStatus]) -> None:
    rows = []
    for row in statuses:
        machines = f"{row.running} of {row.machines}"
        used = [_mib(row.memory), _mib(row.peak), _mib(row.limit), "" if row.cpu is None else f"{row.cpu:.0f} s"]
        kills = "" if row.kills is None else str(row.kills)
        rows.append((row.seat, row.lab, row.subnet, machines, *used, kills, str(row.faults)))
    headings = ("seat", "lab", "subnet", "machines", "memory", "peak", "limit", "CPU", "killed", "faults")
    app.out.print(table(headings, rows))


def _mib(number: int | None) -> str:
    return "" if number is None else f"{number / 2**20:.0f} MiB"


@click.command()
@some_seats
@output_option("table", "json")
@pass_app
def verify(app: Application, seats: tuple[str, ...], output: str) -> int:
    """Run every check on every seat, in parallel. Exit status 1 if a check failed on any."""
    results = on_seats(app, seats, _report)
    if output == "json":
        app.write(shown.reports_as_json(results))
    else:
        app.out.print(shown.report_table(results))
    return _exit_status(app, results)


@click.command()
@some_seats
@output_option("table", "json", "junit")
@pass_app
def grade(app: Application, seats: tuple[str, ...], output: str) -> int:
    """Score each seat's repair of what was broken. Exit status 1 while something is broken on any."""
    results = on_seats(app, seats, _grade)
    if output == "json":
        app.write(shown.grades_as_json(results))
    elif output == "junit":
        app.write(shown.grades_as_junit(results))
    else:
        app.out.print(shown.grade_table(results))
    return _exit_status(app, results)


def _exit_status(app: Application, results: Sequence[Result[Report]] | Sequence[Result[Grade]]) -> int:
    no_errors = print_errors(app, results)
    return 0 if no_errors and all(result.value is not None and result.value.ok for result in results) else 1


def _report(seat: Application) -> Report:
    lab = seat.lab()
    with seat.connections(lab, deadline=CONNECT_SECONDS) as connections:
        return run_checks(lab, connections, keep=report_saver(seat, lab))


def _grade(seat: Application) -> Grade:
    return grading.grade(seat.lab(), _report(seat), state.load(seat.lab_files()), time.time())
