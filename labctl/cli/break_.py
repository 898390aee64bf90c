"""``labctl break``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.complete import fault_names, machine_names

if TYPE_CHECKING:
    from labctl.faults.fault import Fault
    from labctl.model.lab import Lab, Machine


@click.command("break")
@click.argument("name", required=False, shell_complete=fault_names)
@click.option("--list", "listing", is_flag=True, help="List the faults: level, layer, and what each one teaches.")
@click.option("--random", "by_chance", is_flag=True, help="Choose one by chance.")
@click.option("--seed", type=int, metavar="N", help="The same number makes the same choice.")
@click.option(
    "--level", type=click.IntRange(1, 3), metavar="N", help="With --random or --list: only faults of this level."
)
@click.option(
    "--machine", metavar="MACHINE", shell_complete=machine_names, help="Which machine, where several are possible."
)
@click.option("--hidden", is_flag=True, help="Do not say what it is.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="For --list.")
@pass_app
def break_(  # noqa: PLR0917 - click passes the options
    app: Application,
    name: str | None,
    listing: bool,
    by_chance: bool,
    seed: int | None,
    level: int | None,
    machine: str | None,
    hidden: bool,
    output: str,
) -> None:
    """Break the lab in one place, as a lesson; `labctl verify` finds it, `labctl repair` undoes it."""
    if sum((name is not None, listing, by_chance)) != 1:
        raise click.UsageError("give the NAME of a fault, or --list, or --random")
    if listing:
        _list(app, level, output)
        return
    lab = app.lab()
    app.lab_files().require()
    fault, chosen, seed = _choose(lab, name, machine, seed, level)
    _break(app, lab, fault, chosen, hidden=hidden)
    _say(app, fault, chosen, seed if by_chance else None, hidden=hidden)


def _choose(
    lab: Lab, name: str | None, machine: str | None, seed: int | None, level: int | None
) -> tuple[Fault, Machine, int | None]:
    """The fault, its machine, and the seed by which it was chosen."""
    import secrets

    from labctl.faults import choose

    if name is not None:
        fault = choose.fault_named(name)
        return fault, choose.machine_for(lab, fault, machine, seed), None
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    fault, by_chance = choose.by_chance(lab, seed, level=level)
    return fault, by_chance if machine is None else choose.machine_for(lab, fault, machine, seed), seed


def _break(app: Application, lab: Lab, fault: Fault, machine: Machine, *, hidden: bool) -> None:
    from labctl.cli.as_root import become_root
    from labctl.engine.lock import lab_lock
    from labctl.faults import carry_out

    if carry_out.needs_root(fault.way.value):
        become_root(app, lab, "break something on this host's side of a container")
    files = app.lab_files()
    with lab_lock(files.lock), app.connections(lab) as connections, app.working("breaking"):
        carry_out.apply(lab, files, connections, fault, machine, hidden=hidden)


def _say(app: Application, fault: Fault, machine: Machine, seed: int | None, *, hidden: bool) -> None:
    if hidden:
        app.note("something is broken now. `labctl verify` looks for it; `labctl repair` undoes it")
        return
    drawn = f" (seed {seed})" if seed is not None else ""
    app.note(f"{fault.name} on {machine.name}{drawn}: level {fault.level}, layer {fault.layer.value}")
    app.note(f"the lesson: {fault.lesson}")
    app.note("`labctl verify --explain` finds it; `labctl repair` undoes it")


def _list(app: Application, level: int | None, output: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    from labctl.faults.choose import faults_for

    found = [fault for fault in faults_for(app.lab()) if level in (None, fault.level)]
    if output == "json":
        rows = [
            {"name": item.name, "level": item.level, "layer": item.layer.value, "lesson": item.lesson} for item in found
        ]
        app.write(json.dumps({"faults": rows}, indent=2, ensure_ascii=False) + "\n")
        return
    table = Table(box=None, padding=(0, 1), show_edge=False)
    for title in ("fault", "level", "layer", "lesson"):
        table.add_column(title, overflow="fold", no_wrap=title == "fault")
    for item in found:
        table.add_row(item.name, str(item.level), item.layer.value, escape(item.lesson))
    app.out.print(table)
