"""``labctl class up``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.classroom.seats import Seat


@click.command()
@click.option("--seats", type=click.IntRange(1, 99), metavar="N", help="How many.  [default: classroom.seats, or 12]")
@click.option("--at-once", type=click.IntRange(1), metavar="N", help="How many side by side.")
@click.option("--dry-run", is_flag=True, help="Only show the seats: names, networks, limits.")
@pass_app
def up(app: Application, seats: int | None, at_once: int | None, dry_run: bool) -> int:
    """Bring the seats up, each to a verified lab of its own. One that fails stops no other; run again, it goes on.

    \b
    labctl class up --seats 4
    cd seats/seat01 && labctl status
    """
    from labctl.classroom.room import require_room
    from labctl.classroom.seat_files import write_seat
    from labctl.cli.as_root import become_root
    from labctl.cli.boxes import ensure_box
    from labctl.engine.lock import lab_lock
    from labctl.providers.doctor import require
    from labctl.providers.lxc.containers import Containers

    planned = _planned(app, seats)
    if dry_run:
        _show(app, planned)
        return 0
    lab = planned[0].lab
    require(lab, app.host)
    become_root(app, lab, "start the seats' containers, their bridges and their NAT rules")
    running = frozenset(seat.name for seat in planned if Containers(seat.lab, app.host).running())
    require_room(planned, running, app.host)
    with lab_lock(app.directory.resolve() / "seats" / "lock"):
        ensure_box(app, lab)
        for seat in planned:
            write_seat(seat)
        width = at_once or planned_at_once(app) or max(1, app.host.cpus // 2)
        return 0 if _bring_up(app, [seat.directory for seat in planned], width) else 1


def _planned(app: Application, seats: int | None) -> tuple[Seat, ...]:
    from labctl.classroom.seats import plan_seats
    from labctl.config import load_config

    config = load_config(app.directory)
    if seats is not None:
        config = config.model_copy(update={"classroom": config.classroom.model_copy(update={"seats": seats})})
    return plan_seats(config, app.directory.resolve())


def planned_at_once(app: Application) -> int | None:
    """What labctl.yaml says about seats side by side."""
    from labctl.config import load_config

    return load_config(app.directory).classroom.at_once


def _show(app: Application, seats: Sequence[Seat]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("seat", "lab", "subnet", "services", "ingress", "memory, MiB", "processors", "directory"):
        table.add_column(heading, overflow="fold")
    for seat in seats:
        lab = seat.lab
        words = (seat.name, lab.name, lab.network.subnet, lab.network.service_cidr, lab.ingress.address)
        directory = seat.directory.relative_to(app.directory.resolve())
        table.add_row(*map(str, (*words, lab.limits.memory, lab.limits.cpus, directory)))
    app.out.print(table)


def _bring_up(app: Application, seats: Sequence[Path], at_once: int) -> bool:
    from labctl.classroom.bring_up import bring_seat_up
    from labctl.classroom.side_by_side import as_they_end
    from labctl.cli.seats import say_errors

    started, failed = time.monotonic(), []
    try:
        with _current(app) as tell:
            for result in as_they_end(seats, partial(bring_seat_up, on_step=tell), at_once):
                if result.error is not None:
                    failed.append(result)
                    continue
                _hand_over(app, next(seat for seat in seats if seat.name == result.seat))
                app.note(f"{result.seat}  up and verified in {result.value:.0f} s")
    except BaseException:
        app.host.end(app.host.children())
        raise
    say_errors(app, failed)
    seconds = time.monotonic() - started
    app.note(f"{len(seats) - len(failed)} of {len(seats)} seats are up, in {seconds:.0f} s. Next: labctl class status")
    return not failed


@contextmanager
def _current(app: Application) -> Iterator[Callable[[str, str], None]]:
    """A function that takes a seat and its step; on a terminal a line shows the latest of each seat that is at work."""
    if app.verbosity < 0 or not app.err.is_terminal:
        yield lambda _seat, _step: None
        return
    latest: dict[str, str] = {}
    with app.err.status("seats") as status:

        def tell(seat: str, step: str) -> None:
            latest[seat] = step
            if not step:
                del latest[seat]
            status.update("   ".join(f"{seat} {latest[seat]}" for seat in sorted(latest)))

        yield tell


def _hand_over(app: Application, directory: Path) -> None:
    """Put the seat's kubeconfig and ssh_config where the student finds them."""
    from labctl.classroom.seat_files import KUBECONFIG, SSH_CONFIG
    from labctl.cli.seats import seat_app
    from labctl.cli.ssh_config import ssh_config_text
    from labctl.host.files import write_atomically

    seat = seat_app(app, directory)
    files = seat.lab_files()
    write_atomically(directory / KUBECONFIG, files.admin_kubeconfig.read_bytes(), mode=0o600)
    write_atomically(directory / SSH_CONFIG, ssh_config_text(seat.lab(), files).encode())
