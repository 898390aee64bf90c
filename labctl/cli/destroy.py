"""``labctl destroy``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_app
def destroy(app: Application, yes: bool) -> None:
    """Remove everything that `labctl up` made, on this host too. labctl.yaml and built boxes stay."""
    from labctl.cli.as_root import become_root
    from labctl.engine import down
    from labctl.engine.lock import lab_lock

    lab, files = app.lab(), app.lab_files()
    if not yes and not click.confirm(f"Remove the lab {lab.name} with its {len(lab.machines)} machines?", err=True):
        raise click.Abort
    become_root(app, lab, "remove the lab's containers, its bridge and its NAT rules", more=["--yes"])
    if files.folder.exists():
        with lab_lock(files.lock):
            removed = down.destroy(lab, files)
    else:
        removed = down.destroy(lab, files)
    for what in removed:
        app.note(f"removed {what}")
    app.note(f"nothing is left of the lab {lab.name}")
