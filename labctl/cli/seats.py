"""What the commands of ``labctl class`` share: the seats that exist, each with labctl's view of its directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labctl.cli.app import Application
from labctl.errors import LabctlError

if TYPE_CHECKING:
    from labctl.classroom.side_by_side import Result

T = TypeVar("T")

some_seats = click.argument("seats", nargs=-1, metavar="[SEAT]...")


def seat_app(app: Application, directory: Path) -> Application:
    """labctl as if it was started with ``-C`` in that seat's directory."""
    return replace(app, directory=directory)


def on_seats(app: Application, names: tuple[str, ...], work: Callable[[Application], T]) -> list[Result[T]]:
    """Do work for each seat, or those named, side by side; each result in the seats' order, logged in the seat's log.

    Raises HostError if there are no such seats.
    """
    from labctl.classroom.seat_files import existing_seats
    from labctl.classroom.side_by_side import side_by_side

    found = existing_seats(app.directory.resolve(), names)
    return side_by_side(found, lambda seat: _on_seat(seat_app(app, seat), work), 2 * (os.cpu_count() or 1))


def _on_seat(seat: Application, work: Callable[[Application], T]) -> T:
    from labctl.log import lab_log, start_log

    start_log(seat.lab_files().folder)
    try:
        return work(seat)
    except LabctlError as error:
        lab_log().error("%s %s %s", error.what, error.where, error.why)
        raise


def say_errors(app: Application, results: Iterable[Result[Any]]) -> bool:
    """Show each seat's error; returns whether there was none."""
    from labctl.cli.show_error import print_error

    errors = [result.error for result in results if result.error is not None]
    for error in errors:
        print_error(error, app)
    return not errors
