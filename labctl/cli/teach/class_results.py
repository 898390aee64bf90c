"""``labctl class status``, ``verify`` and ``grade``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from labctl.checks import report as checks
from labctl.checks.report import Report
from labctl.checks.verify import verify as run_checks
from labctl.classroom import results as shown
from labctl.classroom.inventory import Server, read_inventory
from labctl.classroom.results import SeatStatus, seat_status
from labctl.classroom.servers import ask_servers, seats_of
from labctl.classroom.side_by_side import Result
from labctl.cli.app import Application, pass_app
from labctl.cli.inspect.verify import CONNECT_SECONDS, report_saver
from labctl.cli.options import output_option
from labctl.cli.teach.class_group import on_seats, print_errors, some_seats
from labctl.errors import HostError
from labctl.faults import grade as grading
from labctl.faults import state
from labctl.faults.grade import Grade
from labctl.web.links import Link
from labctl.web.store import DATABASE, WEB_FOLDER, served_seats

T = TypeVar("T")
Command = Callable[[Callable[..., Any]], Callable[..., Any]]


_STATUS_SECONDS, _VERIFY_SECONDS = 60.0, 300.0
"""How long a server may take to answer."""


def of_servers(text: str = "The seats of all servers in this Ansible inventory, in place of this one's.") -> Command:
    """``--inventory``. text: its help."""
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--inventory", type=kind, metavar="FILE", help=text)


@click.command()
@some_seats
@of_servers()
@output_option("table", "json")
@pass_app
def status(app: Application, seats: tuple[str, ...], inventory: Path | None, output: str) -> int:
    """Show each seat's machines and what they use of their limits, without judging: `labctl class verify` does that."""
    if inventory is None:
        pages = served_seats(app.directory / WEB_FOLDER / DATABASE)
        results = on_seats(app, seats, lambda seat: _status(seat, pages))
    else:
        results = _of_servers(app, inventory, seats, "status", shown.read_status, _STATUS_SECONDS)
    if output == "json":
        app.write(shown.statuses_as_json(results))
    else:
        app.out.print(shown.status_table([result for result in results if result.value or result.server]))
    return 0 if print_errors(app, results) else 1


def _status(seat: Application, pages: Mapping[str, dict[str, Any]]) -> SeatStatus:
    files = seat.lab_files()
    return replace(seat_status(seat.lab(), files, seat.host), page=pages.get(files.base.name))


def status_of_servers(app: Application, servers: Sequence[Server]) -> list[Result[SeatStatus]]:
    """The status of all seats on these servers. What does not answer is an error among the results."""
    return seats_of(servers, ["class", "status"], shown.read_status, app.host, deadline=_STATUS_SECONDS)


def links_of_servers(app: Application, servers: Sequence[Server], *, new: bool) -> list[Result[list[Link]]]:
    """The links of all seats on these servers, one result per server."""

    def read(answer: dict[str, Any], server: Server) -> list[Link]:
        return [Link.from_dict(row, server.name) for row in answer["links"]]

    words = ["class", "links", *["--new"] * new]
    return ask_servers(servers, words, read, app.host, deadline=_STATUS_SECONDS)


@click.command()
@some_seats
@of_servers()
@output_option("table", "json")
@pass_app
def verify(app: Application, seats: tuple[str, ...], inventory: Path | None, output: str) -> int:
    """Run every check on every seat, in parallel. Exit status 1 if a check failed on any."""
    if inventory is None:
        results = on_seats(app, seats, _report)
    else:
        results = _of_servers(app, inventory, seats, "verify", checks.from_dict, _VERIFY_SECONDS)
    if output == "json":
        app.write(shown.reports_as_json(results))
    else:
        app.out.print(shown.report_table(results))
    return _exit_status(app, results)


@click.command()
@some_seats
@of_servers()
@output_option("table", "json", "junit")
@pass_app
def grade(app: Application, seats: tuple[str, ...], inventory: Path | None, output: str) -> int:
    """Score each seat's repair of what was broken. Exit status 1 while something is broken on any."""
    if inventory is None:
        results = on_seats(app, seats, _grade)
    else:
        results = _of_servers(app, inventory, seats, "grade", grading.from_dict, _VERIFY_SECONDS)
    if output == "json":
        app.write(shown.grades_as_json(results))
    elif output == "junit":
        app.write(shown.grades_as_junit(results))
    else:
        app.out.print(shown.grade_table(results))
    return _exit_status(app, results)


def _of_servers(  # noqa: PLR0917 - one call per command
    app: Application, inventory: Path, seats: tuple[str, ...], word: str, read: Callable[[Any], T], deadline: float
) -> list[Result[T]]:
    """What the servers' own labctl says about all seats, or those named. Raises HostError if no server has them."""
    with app.working("asking the servers"):
        results = seats_of(read_inventory(inventory), ["class", word], read, app.host, deadline=deadline)
    missing = set(seats) - {result.seat for result in results}
    if missing and all(result.seat for result in results):
        raise HostError(f"there is no {', '.join(sorted(missing))} on the servers in {inventory}")
    return [result for result in results if not seats or result.seat in (*seats, "")]


def _exit_status(app: Application, results: Sequence[Result[Report]] | Sequence[Result[Grade]]) -> int:
    no_errors = print_errors(app, results)
    return 0 if no_errors and all(result.value is not None and result.value.ok for result in results) else 1


def _report(seat: Application) -> Report:
    lab = seat.lab()
    with seat.connections(lab, deadline=CONNECT_SECONDS) as connections:
        return run_checks(lab, connections, keep=report_saver(seat, lab))


def _grade(seat: Application) -> Grade:
    return grading.grade(seat.lab(), _report(seat), state.load(seat.lab_files()), time.time())
