"""``labctl class status``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.seats import on_seats, say_errors, some_seats

if TYPE_CHECKING:
    from labctl.classroom.survey import SeatStatus


@click.command()
@some_seats
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_app
def status(app: Application, seats: tuple[str, ...], output: str) -> int:
    """Show each seat's machines, and what they use of their limits. It judges nothing; `labctl class verify` does."""
    from labctl.classroom.survey import seat_status

    results = on_seats(app, seats, lambda seat: seat_status(seat.lab(), seat.lab_files(), app.host))
    found = [result.value for result in results if result.value is not None]
    if output == "json":
        app.write(json.dumps({"seats": [asdict(row) for row in found]}, indent=2) + "\n")
    else:
        _print(app, found)
    return 0 if say_errors(app, results) else 1


def _print(app: Application, rows: list[SeatStatus]) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 3, 0, 0))
    for heading in ("seat", "lab", "subnet", "machines", "memory", "most so far", "limit", "CPU", "killed", "faults"):
        table.add_column(heading)
    for row in rows:
        machines = f"{row.running} of {row.machines}"
        used = [_mib(row.memory), _mib(row.peak), _mib(row.limit), "" if row.cpu is None else f"{row.cpu:.0f} s"]
        kills = "" if row.kills is None else str(row.kills)
        table.add_row(row.seat, row.lab, row.subnet, machines, *used, kills, str(row.faults))
    app.out.print(table)


def _mib(number: int | None) -> str:
    return "" if number is None else f"{number / 2**20:.0f} MiB"
