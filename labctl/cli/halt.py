"""``labctl halt``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app


@click.command()
@pass_app
def halt(app: Application) -> None:
    """Stop the machines; `labctl up` starts them again."""
    from labctl.cli.as_root import become_root
    from labctl.engine import down
    from labctl.engine.applied import applied_lab
    from labctl.engine.lock import lab_lock

    files = app.lab_files()
    files.require()
    lab = applied_lab(files) or app.lab()
    become_root(app, lab, "stop the lab's containers")
    with lab_lock(files.lock):
        down.halt(lab, files)
    app.note("the machines are stopped; `labctl up` starts them again")
