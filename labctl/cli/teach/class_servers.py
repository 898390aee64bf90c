"""``labctl class plan`` and ``labctl class playbook``: a class on several servers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from labctl.classroom.inventory import GROUP, read_inventory
from labctl.classroom.placement import Placement, place
from labctl.classroom.playbook import PLAYBOOK, SERVERS, write_project
from labctl.classroom.seats import plan_seats
from labctl.classroom.servers import memory_and_cpus
from labctl.classroom.side_by_side import side_by_side
from labctl.cli.app import Application, pass_app
from labctl.cli.options import output_option
from labctl.cli.output import table, write_json
from labctl.cli.setup.box import box_file_of
from labctl.cli.teach.class_group import print_errors
from labctl.config import load_config
from labctl.config.problems import FILE_NAME

_AT_ONCE = 32


@click.command()
@click.option(
    "--servers",
    "--inventory",
    "inventory",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    required=True,
    help="The Ansible inventory of the servers.",
)
@click.option("--seats", type=click.IntRange(1, 99), metavar="N", help="So many seats.  [default: as many as possible]")
@output_option("table", "json", "ini", text="ini: for the end of the inventory, where it replaces earlier numbers.")
@pass_app
def plan(app: Application, inventory: Path, seats: int | None, output: str) -> int:
    """Compute how many seats each server gets, from its memory and processors, which are asked over SSH.

    \b
    labctl class plan --servers ansible/servers.ini --seats 24
    labctl class plan --servers ansible/servers.ini --seats 24 --output ini >>ansible/servers.ini
    """
    servers, config = read_inventory(inventory), load_config(app.directory)
    with app.working("asking the servers"):
        results = side_by_side(servers, lambda server: memory_and_cpus(server, app.host), _AT_ONCE)
    sizes = {result.seat: result.value for result in results}
    found = place(config, [(one.name, *size) for one in servers if (size := sizes[one.name])], seats)
    if output == "json":
        write_json(app, {"servers": [{name: _plain(value) for name, value in asdict(row).items()} for row in found]})
    elif output == "ini":
        app.write("".join(f"{line}\n" for line in (f"\n[{GROUP}]", *map(_line, found))))
    else:
        _print(app, found)
    return 0 if print_errors(app, results) else 1


def _plain(value: object) -> object:
    return value if isinstance(value, int | str) else str(value)


def _line(row: Placement) -> str:
    numbers = f"seats={row.seats} first_seat={row.first_seat}"
    return f"{row.server} {numbers} first_subnet={row.first_subnet} first_service_cidr={row.first_service_cidr}"


def _print(app: Application, found: list[Placement]) -> None:
    rows = []
    for row in found:
        room = (f"{row.memory / 2**30:.1f} GiB", row.cpus, row.by_memory, row.by_cpus)
        networks = (row.first_subnet, row.first_service_cidr)
        rows.append([str(cell) for cell in (row.server, *room, row.seats, row.first_seat, *networks)])
    room_headings = ("server", "memory", "processors", "by memory", "by processors")
    app.out.print(table((*room_headings, "seats", "first seat", "first subnet", "first services"), rows))
    app.note(
        f"{sum(row.seats for row in found)} seats. `--output ini` prints these numbers for the end of the inventory"
    )


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    default="ansible",
    show_default=True,
    help="The project's folder.",
)
@pass_app
def playbook(app: Application, out: Path) -> None:
    """Write an Ansible project that brings this class up on several servers. Your servers.ini stays, if there is one.

    \b
    labctl class playbook
    cd ansible && ansible-playbook class.yml
    """
    config, folder = load_config(app.directory), app.directory / out
    file = box_file_of(app, plan_seats(config, app.directory.resolve())[0].lab)
    box = file.parent if file and file.is_file() else None
    description = app.directory / FILE_NAME
    for path in write_project(folder, description.read_bytes() if description.exists() else b"{}\n", box):
        app.write(f"{path}\n")
    if box is None:
        app.note(
            "the box is not built here, so each server builds it: run `labctl box build`, and this again, to copy it"
        )
    app.note(f"next: name your servers in {folder / SERVERS}, then: cd {folder}; ansible-playbook {PLAYBOOK}")
