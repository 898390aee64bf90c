"""``labctl break`` and ``labctl repair``."""

from __future__ import annotations

import secrets

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.lab.snapshot import restore_hint
from labctl.cli.options import complete_applied_fault, complete_fault, complete_machine, output_option
from labctl.cli.output import table, write_json
from labctl.cli.sudo import become_root
from labctl.engine.lock import lab_lock
from labctl.errors import LabctlError
from labctl.faults import break_and_repair, choose, state
from labctl.faults.fault import Fault
from labctl.model.lab import Lab, Machine


@click.command("break")
@click.argument("name", required=False, shell_complete=complete_fault)
@click.option("--list", "listing", is_flag=True, help="List the faults: level, layer and lesson.")
@click.option("--random", "by_chance", is_flag=True, help="Choose one at random.")
@click.option("--seed", type=int, metavar="N", help="The same number makes the same random choice.")
@click.option(
    "--level", type=click.IntRange(1, 3), metavar="N", help="With --random or --list: only faults of this level."
)
@click.option(
    "--machine", metavar="MACHINE", shell_complete=complete_machine, help="The machine, if several are possible."
)
@click.option("--hidden", is_flag=True, help="Do not say what it is.")
@output_option("table", "json", text="For --list.")
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
    """Break one thing in the lab, as a lesson; `labctl verify` finds it, `labctl repair` undoes it."""
    if sum((name is not None, listing, by_chance)) != 1:
        raise click.UsageError("give the NAME of a fault, or --list, or --random")
    if listing:
        _list(app, level, output)
        return
    lab = app.lab()
    app.lab_files().require()
    fault, chosen, seed = _choose(lab, name, machine, seed, level)
    if break_and_repair.needs_root(fault.method):
        become_root(app, lab, "break something on this host's side of a container")
    files = app.lab_files()
    with lab_lock(files.lock), app.connections(lab) as connections, app.working("breaking"):
        break_and_repair.apply(lab, files, connections, fault, chosen, hidden=hidden)
    _describe(app, fault, chosen, seed if by_chance else None, hidden=hidden)


def _choose(
    lab: Lab, name: str | None, machine: str | None, seed: int | None, level: int | None
) -> tuple[Fault, Machine, int | None]:
    """The fault, its machine, and the seed by which it was chosen."""
    if name is not None:
        fault = choose.fault_named(name)
        return fault, choose.machine_for(lab, fault, machine, seed), None
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    fault, random_machine = choose.random_fault(lab, seed, level=level)
    return fault, random_machine if machine is None else choose.machine_for(lab, fault, machine, seed), seed


def _describe(app: Application, fault: Fault, machine: Machine, seed: int | None, *, hidden: bool) -> None:
    if hidden:
        app.note("something is broken now. `labctl verify` finds it; `labctl repair` undoes it")
        return
    drawn = f" (seed {seed})" if seed is not None else ""
    app.note(f"{fault.name} on {machine.name}{drawn}: level {fault.level}, layer {fault.layer.value}")
    app.note(f"the lesson: {fault.lesson}")
    app.note("`labctl verify --explain` finds it; `labctl repair` undoes it")


def _list(app: Application, level: int | None, output: str) -> None:
    found = choose.faults_for(app.lab(), level)
    if output == "json":
        rows = [
            {"name": item.name, "level": item.level, "layer": item.layer.value, "lesson": item.lesson} for item in found
        ]
        write_json(app, {"faults": rows})
        return
    cells = [(item.name, str(item.level), item.layer.value, item.lesson) for item in found]
    app.out.print(table(("fault", "level", "layer", "lesson"), cells, wide=("fault",)))


@click.command()
@click.argument("name", required=False, shell_complete=complete_applied_fault)
@pass_app
def repair(app: Application, name: str | None) -> None:
    """Undo what `labctl break` did: the fault of that NAME, or all of them."""
    files = app.lab_files()
    files.require()
    lab = app.lab()
    names = () if name is None else (choose.fault_named(name).name,)
    waiting = [item for item in state.load(files) if item.active and (not names or item.name in names)]
    if not waiting:
        app.note(f"nothing to repair: {name} was not applied" if name else "nothing to repair: no fault was applied")
        _mention_restore(app)
        return
    if any(break_and_repair.needs_root(item.method) for item in waiting):
        become_root(app, lab, "repair this host's side of a container")
    with lab_lock(files.lock), app.connections(lab) as connections, app.working("repairing"):
        try:
            done = break_and_repair.repair(lab, files, connections, names)
        except LabctlError:
            _mention_restore(app)
            raise
    for item in done:
        app.note(f"repaired: {item.name} on {item.machine}")
    app.note("`labctl verify --wait 90` waits until the lab works again")


def _mention_restore(app: Application) -> None:
    """The way back where `repair` has none."""
    hint = restore_hint(app)
    if hint:
        app.note(f"{hint} undoes whatever happened to the lab since")
