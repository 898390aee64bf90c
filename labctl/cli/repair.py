"""``labctl repair``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.complete import applied_faults


@click.command()
@click.argument("name", required=False, shell_complete=applied_faults)
@pass_app
def repair(app: Application, name: str | None) -> None:
    """Undo what `labctl break` did: the fault of that NAME, or all of them."""
    from labctl.cli.as_root import become_root
    from labctl.engine.lock import lab_lock
    from labctl.faults import carry_out, choose, state

    files = app.lab_files()
    files.require()
    lab = app.lab()
    names = () if name is None else (choose.fault_named(name).name,)
    waiting = [item for item in state.load(files) if item.active and (not names or item.name in names)]
    if not waiting:
        app.note(f"{name} was not applied, so there is nothing to repair" if name else "nothing is broken by labctl")
        return
    if any(carry_out.needs_root(item.way) for item in waiting):
        become_root(app, lab, "repair this host's side of a container")
    with lab_lock(files.lock), app.connections(lab) as connections, app.working("repairing"):
        done = carry_out.repair(lab, files, connections, names)
    for item in done:
        app.note(f"repaired: {item.name} on {item.machine}")
    app.note("`labctl verify --wait 90` waits until all is well again")
