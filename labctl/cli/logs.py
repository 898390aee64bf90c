"""``labctl logs``."""

from __future__ import annotations

import time

import click

from labctl.cli.app import Application, pass_app


@click.command()
@click.argument("machine", required=False)
@click.argument("step", required=False)
@pass_app
def logs(app: Application, machine: str | None, step: str | None) -> None:
    """Show what a step printed on a machine; without a step, all of the machine's; without a machine, what there is."""
    from labctl.errors import HostError

    folder = app.lab_files().logs
    kept = sorted(folder.glob("*/*.log"), key=lambda path: path.stat().st_mtime)
    chosen = [path for path in kept if machine in (None, path.parent.name) and step in (None, path.stem)]
    if not chosen:
        what = " ".join(word for word in (machine, step) if word)
        raise HostError(f"there is no log of {what or 'any step'} in {folder}", next_step="labctl logs lists what there is")
    if machine is None:
        for path in chosen:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(path.stat().st_mtime))
            app.write(f"{when}  {path.parent.name:<14} {path.stem}\n")
        return
    for path in chosen:
        if len(chosen) > 1:
            app.write(f"== {path.parent.name} {path.stem}\n")
        app.write(path.read_bytes())
