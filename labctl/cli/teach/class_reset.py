"""``labctl class reset``: seats go back to the snapshot that `class up` saved."""

from __future__ import annotations

import time

import click

from labctl.checks.check import counted, listed
from labctl.cli.app import Application, pass_app
from labctl.cli.lab.snapshot import go_back
from labctl.cli.output import duration
from labctl.cli.sudo import become_root
from labctl.cli.teach.class_group import any_lab, on_seats, print_errors, some_seats
from labctl.engine.snapshots import OF_UP
from labctl.errors import LabctlError


@click.command()
@some_seats
@pass_app
def reset(app: Application, seats: tuple[str, ...]) -> int:
    """Put seats back as they were when `labctl class up` was done, and verify them: whatever a student did is gone.

    A student's own files in the seat's directory stay.
    """
    become_root(app, any_lab(app, seats), "restore the seats' containers")
    return 0 if reset_seats(app, seats) else 1


def reset_seats(app: Application, seats: tuple[str, ...]) -> bool:
    """Do so; returns whether all are verified."""
    started = time.monotonic()
    with app.working("resetting the seats"):
        results = on_seats(app, seats, reset_seat)
    for result in results:
        if result.value is not None:
            app.note(f"{result.seat}  reset and verified in {duration(result.value)}")
    app.note(f"{counted(len(results), 'seat')} in {duration(time.monotonic() - started)}")
    return print_errors(app, results)


def reset_seat(seat: Application) -> float:
    """Restore one seat; returns the seconds that it took. Raises LabctlError if it does not verify."""
    started = time.monotonic()
    seat.verbosity = -1
    report = go_back(seat, OF_UP)
    if not report.ok:
        raise LabctlError(
            f"{seat.directory.name} was restored, and a check fails",
            why=listed(report.root_causes, most=3),
            next_step=f"labctl -C {seat.directory} verify --explain",
        )
    return time.monotonic() - started
