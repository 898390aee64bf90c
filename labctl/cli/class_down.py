"""``labctl class down``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.seats import on_seats, say_errors, some_seats


@click.command()
@some_seats
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_app
def down(app: Application, seats: tuple[str, ...], yes: bool) -> int:
    """Remove seats, and everything that was made for them. What a student put into a seat's directory stays there."""
    from labctl.classroom.seat_files import existing_seats, remove_room
    from labctl.cli.as_root import become_root
    from labctl.cli.seats import seat_app
    from labctl.engine.lock import lab_lock

    base = app.directory.resolve()
    found = existing_seats(base, seats)
    if not yes and not click.confirm(f"Remove {len(found)} seats ({found[0].name} to {found[-1].name})?", err=True):
        raise click.Abort
    become_root(app, seat_app(app, found[0]).lab(), "remove the seats' containers and networks", more=["--yes"])
    lock = base / "seats" / "lock"
    with lab_lock(lock):
        results = on_seats(app, seats, _remove)
        lock.unlink()
    for result in results:
        if result.error is None:
            app.note(f"{result.seat}  removed")
    remove_room(lock.parent)
    return 0 if say_errors(app, results) else 1


def _remove(seat: Application) -> None:
    from labctl.classroom.seat_files import remove_seat
    from labctl.engine import down as engine
    from labctl.engine.lock import lab_lock
    from labctl.providers.marks import HostMarks

    lab, files = seat.lab(), seat.lab_files()
    with lab_lock(files.lock):
        engine.destroy(engine.labs_to_destroy(lab, files, HostMarks(seat.host)), files, seat.host)
    remove_seat(files.base)
