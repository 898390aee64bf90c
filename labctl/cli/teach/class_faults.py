"""``labctl class break`` and ``labctl class repair``."""

from __future__ import annotations

import secrets

import click

from labctl.classroom.faults import break_seat, repair_seat
from labctl.cli.app import Application, pass_app
from labctl.cli.sudo import become_root
from labctl.cli.teach.class_group import any_lab, on_seats, print_errors, some_seats
from labctl.cli.teach.class_reset import reset_seats
from labctl.faults.fault import Fault
from labctl.faults.state import AppliedFault
from labctl.model.lab import Machine


@click.command("break")
@some_seats
@click.option("--fault", metavar="NAME", help="The same fault on every seat.  [default: another one on each seat]")
@click.option("--seed", type=int, metavar="N", help="The same number makes the same random choices.")
@click.option("--level", type=click.IntRange(1, 3), metavar="N", help="Only faults of this level.")
@click.option("--hidden", is_flag=True, help="Do not say what it is, here and on the seats.")
@click.option("--reset", is_flag=True, help="Before that, do what `class reset` does: the next round.")
@pass_app
def break_(  # noqa: PLR0917 - click passes the options
    app: Application,
    seats: tuple[str, ...],
    fault: str | None,
    seed: int | None,
    level: int | None,
    hidden: bool,
    reset: bool,
) -> int:
    """Break every seat, each in another place; `labctl class grade` scores the repair.

    \b
    labctl class break --seed 7 --level 2 --hidden
    """
    if fault is not None and level is not None:
        raise click.UsageError("--level chooses among faults and --fault names one: use only one of them")
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    become_root(app, any_lab(app, seats), "break the seats", more=["--seed", str(seed)])
    if reset and not reset_seats(app, seats):
        return 1

    def work(seat: Application) -> tuple[Fault, Machine]:
        lab, files = seat.lab(), seat.lab_files()
        with seat.connections(lab) as connections:
            return break_seat(lab, files, connections, seed=seed, name=fault, level=level, hidden=hidden)

    results = on_seats(app, seats, work)
    for result in results:
        if result.value is not None:
            broken, machine = result.value
            what = "something is broken" if hidden else f"{broken.name} on {machine.name} (level {broken.level})"
            app.note(f"{result.seat}  {what}")
    app.note(f"seed {seed}. `labctl class grade` scores the repair, `labctl class repair` undoes the faults")
    return 0 if print_errors(app, results) else 1


@click.command()
@some_seats
@pass_app
def repair(app: Application, seats: tuple[str, ...]) -> int:
    """Undo on every seat what break did there."""
    become_root(app, any_lab(app, seats), "repair the seats")
    results = on_seats(app, seats, _repair)
    for result in results:
        if result.value is not None:
            app.note(f"{result.seat}  {', '.join(item.name for item in result.value) or 'nothing to repair'}")
    return 0 if print_errors(app, results) else 1


def _repair(seat: Application) -> tuple[AppliedFault, ...]:
    lab = seat.lab()
    with seat.connections(lab) as connections:
        return repair_seat(lab, seat.lab_files(), connections)
