"""``labctl class verify`` and ``labctl class grade``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.seats import on_seats, say_errors, some_seats
from labctl.cli.verify import CONNECT_SECONDS

if TYPE_CHECKING:
    from labctl.checks.report import Report
    from labctl.faults.grade import Grade


@click.command()
@some_seats
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_app
def verify(app: Application, seats: tuple[str, ...], output: str) -> int:
    """Run every check on every seat, side by side. Exit status 1 if a check failed on any."""
    from labctl.classroom import results as shown

    results = on_seats(app, seats, _report)
    if output == "json":
        app.write(shown.reports_as_json(results))
    else:
        app.out.print(shown.report_table(results))
    fine = say_errors(app, results)
    return 0 if fine and all(result.value is not None and result.value.ok for result in results) else 1


@click.command()
@some_seats
@click.option("--output", type=click.Choice(["table", "json", "junit"]), default="table", show_default=True)
@pass_app
def grade(app: Application, seats: tuple[str, ...], output: str) -> int:
    """Score each seat's repair of what was broken. Exit status 1 while something is broken on any."""
    from labctl.classroom import results as shown

    results = on_seats(app, seats, _grade)
    if output == "json":
        app.write(shown.grades_as_json(results))
    elif output == "junit":
        app.write(shown.grades_as_junit(results))
    else:
        app.out.print(shown.grade_table(results))
    fine = say_errors(app, results)
    return 0 if fine and all(result.value is not None and result.value.ok for result in results) else 1


def _report(seat: Application) -> Report:
    from labctl.checks.verify import verify as check
    from labctl.cli.kept import keeper

    lab = seat.lab()
    with seat.connections(lab, deadline=CONNECT_SECONDS) as connections:
        return check(lab, connections, keep=keeper(seat, lab))


def _grade(seat: Application) -> Grade:
    import time

    from labctl.faults import grade as grading
    from labctl.faults import state

    return grading.grade(seat.lab(), _report(seat), state.load(seat.lab_files()), time.time())
