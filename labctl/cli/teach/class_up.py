"""``labctl class up`` and ``labctl class down``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from labctl.classroom.seats import (
    FOLDER,
    Seat,
    existing_seats,
    plan_seats,
    remove_folder,
    remove_seat,
    require_room,
    write_access_files,
    write_seat,
)
from labctl.classroom.side_by_side import as_they_end, bring_seat_up
from labctl.cli.app import Application, pass_app
from labctl.cli.options import override_options
from labctl.cli.output import duration, table
from labctl.cli.setup.box import ensure_box
from labctl.cli.sudo import become_root
from labctl.cli.teach.class_group import any_lab, on_seats, print_errors, seat_app, some_seats
from labctl.config import Overrides, load_config
from labctl.engine import down as engine
from labctl.engine.lock import lab_lock
from labctl.providers.doctor import require
from labctl.providers.lxc.containers import Containers
from labctl.providers.marks import HostMarks


@click.command()
@override_options("seats", "at_once")
@click.option("--dry-run", is_flag=True, help="Only show the seats: names, networks, limits.")
@pass_app
def up(app: Application, overrides: Overrides, dry_run: bool) -> int:
    """Bring up the seats, each to a verified lab. If one fails, the others continue; the next run continues with it.

    \b
    labctl class up --seats 4
    cd seats/seat01 && labctl status
    """
    base = app.directory.resolve()
    config = load_config(app.directory, overrides=overrides)
    planned = plan_seats(config, base)
    if dry_run:
        _print(app, planned)
        return 0
    lab = planned[0].lab
    require(lab, app.host)
    become_root(app, lab, "start the seats' containers, their bridges and their NAT rules")
    running = frozenset(seat.name for seat in planned if Containers(seat.lab, app.host).running())
    require_room(planned, running, app.host)
    with lab_lock(base / FOLDER / "lock"):
        ensure_box(app, lab)
        for seat in planned:
            write_seat(seat)
        at_once = config.classroom.at_once or app.host.cpus
        up = _bring_up(app, [seat.directory for seat in planned], at_once)
    from labctl.cli.teach.class_web import print_links  # noqa: PLC0415 - a web server

    print_links(app, base)
    return 0 if up else 1


def _print(app: Application, seats: Sequence[Seat]) -> None:
    rows = []
    for seat in seats:
        lab, directory = seat.lab, seat.directory.relative_to(app.directory.resolve())
        cells = (seat.name, lab.name, lab.network.subnet, lab.network.service_cidr, lab.ingress.address)
        rows.append([str(cell) for cell in (*cells, lab.limits.memory, lab.limits.cpus, directory)])
    headings = ("seat", "lab", "subnet", "services", "ingress", "memory, MiB", "processors", "directory")
    app.out.print(table(headings, rows))


def _bring_up(app: Application, seats: Sequence[Path], at_once: int) -> bool:
    """Bring seats up, at_once in parallel; returns whether all are up."""
    started, failed = time.monotonic(), []
    try:
        with _steps_shown(app) as show_step:
            for result in as_they_end(seats, partial(bring_seat_up, host=app.host, on_step=show_step), at_once):
                if result.error is not None:
                    failed.append(result)
                    continue
                seat = seat_app(app, next(seat for seat in seats if seat.name == result.seat))
                write_access_files(seat.lab(), seat.lab_files())
                app.note(f"{result.seat}  up and verified in {duration(result.value or 0)}")
    except BaseException:
        app.host.end(app.host.children())
        raise
    print_errors(app, failed)
    spent = duration(time.monotonic() - started)
    app.note(f"{len(seats) - len(failed)} of {len(seats)} seats are up ({spent}). Next: labctl class status")
    return not failed


@contextmanager
def _steps_shown(app: Application) -> Iterator[Callable[[str, str], None]]:
    """A function that takes a seat and its step; on a terminal, a line shows the current step of each seat."""
    if app.verbosity < 0 or not app.err.is_terminal:
        yield lambda _seat, _step: None
        return
    current: dict[str, str] = {}
    with app.err.status("seats") as status:

        def show_step(seat: str, step: str) -> None:
            current[seat] = step
            if not step:
                del current[seat]
            status.update("   ".join(f"{seat} {current[seat]}" for seat in sorted(current)))

        yield show_step


@click.command()
@some_seats
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_app
def down(app: Application, seats: tuple[str, ...], yes: bool) -> int:
    """Remove seats, and everything that was made for them. What a student put into a seat's directory stays."""
    base = app.directory.resolve()
    found = existing_seats(base, seats)
    if not yes:
        app.confirm(f"Remove {len(found)} seats ({found[0].name} to {found[-1].name})?")
    become_root(app, any_lab(app, seats), "remove the seats' containers and networks", more=["--yes"])
    lock = base / FOLDER / "lock"
    with lab_lock(lock):
        results = on_seats(app, seats, _remove)
        lock.unlink()
    for result in results:
        if result.error is None:
            app.note(f"{result.seat}  removed")
    remove_folder(lock.parent)
    return 0 if print_errors(app, results) else 1


def _remove(seat: Application) -> None:
    lab, files = seat.lab(), seat.lab_files()
    with lab_lock(files.lock):
        engine.destroy(engine.labs_to_destroy(lab, files, HostMarks(seat.host)), files, seat.host)
    remove_seat(files.base)
