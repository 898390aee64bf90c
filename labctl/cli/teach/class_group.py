"""``labctl class``: the group of commands, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from labctl.classroom.seats import existing_seats
from labctl.classroom.side_by_side import Result, side_by_side
from labctl.cli.app import Application
from labctl.cli.commands import LazyGroup, Row
from labctl.cli.errors import print_error
from labctl.errors import LabctlError
from labctl.log import lab_log, start_log
from labctl.model.lab import Lab

T = TypeVar("T")

TABLE = {
    "up": Row("teach.class_up:up", "Bring the seats up, a few at a time; when run again, continue."),
    "status": Row("teach.class_results:status", "Show each seat's machines, and what they use of their limits."),
    "verify": Row("teach.class_results:verify", "Run every check on every seat, in parallel."),
    "grade": Row("teach.class_results:grade", "Score each seat's repair of what was broken."),
    "break": Row("teach.class_faults:break_", "Break every seat, each in another place."),
    "repair": Row("teach.class_faults:repair", "Undo on every seat what break did."),
    "reset": Row("teach.class_reset:reset", "Put seats back as they were when `class up` was done."),
    "serve": Row("teach.class_web:serve", "Serve a page for each student and one for the teacher."),
    "links": Row("teach.class_web:links", "Print the links to those pages, also as cards with QR codes."),
    "plan": Row("teach.class_servers:plan", "Compute how many seats each of several servers gets."),
    "playbook": Row("teach.class_servers:playbook", "Write an Ansible project for a class on several servers."),
    "down": Row("teach.class_up:down", "Remove seats, and everything that was made for them."),
}

some_seats = click.argument("seats", nargs=-1, metavar="[SEAT]...")


@click.group("class", cls=LazyGroup, table=TABLE)
def class_() -> None:
    """Many seats on one server: each student gets a lab in seats/seatNN, with limits.

    labctl.yaml describes a seat; its section `classroom` says how many there are and which networks they get.
    """


def seat_app(app: Application, directory: Path) -> Application:
    """labctl as if it was started with ``-C`` in that seat's directory."""
    return replace(app, directory=directory)


def any_lab(app: Application, names: tuple[str, ...]) -> Lab:
    """The lab of one of the seats, to know what the provider needs. Raises HostError if there are no seats."""
    return seat_app(app, existing_seats(app.directory.resolve(), names)[0]).lab()


def on_seats(app: Application, names: tuple[str, ...], work: Callable[[Application], T]) -> list[Result[T]]:
    """Do work for each seat, or those named, in parallel; the results in the seats' order, logged in the seats' logs.

    Raises HostError if there are no such seats.
    """

    def on_seat(directory: Path) -> T:
        seat = seat_app(app, directory)
        start_log(seat.lab_files().folder)
        try:
            return work(seat)
        except LabctlError as error:
            lab_log().error("%s %s %s", error.what, error.where, error.why)
            raise

    return side_by_side(existing_seats(app.directory.resolve(), names), on_seat, 2 * app.host.cpus)


def print_errors(app: Application, results: Iterable[Result[Any]]) -> bool:
    """Show each seat's error; returns whether there was none."""
    errors = [result.error for result in results if result.error is not None]
    for error in errors:
        print_error(error, app)
    return not errors
