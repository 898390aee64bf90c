"""``labctl halt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.model.lab import Lab


@click.command()
@pass_app
def halt(app: Application) -> None:
    """Stop the machines; `labctl up` starts them again."""
    from labctl.cli.as_root import become_root
    from labctl.engine import down
    from labctl.engine.applied import applied_lab
    from labctl.engine.lock import lab_lock, lock_where_one_can_be

    files = app.lab_files()
    whole = files.is_lab()
    labs = [applied_lab(files) or app.lab()] if whole else _by_their_marks(app)
    for lab in labs[:1]:
        become_root(app, lab, "stop the lab's containers")
    with lab_lock(files.lock, needed=False) if whole else lock_where_one_can_be(files):
        for lab in labs:
            down.halt(lab, files, app.host)
    if whole:
        app.note("the machines are stopped; `labctl up` starts them again")
        return
    names = ", ".join(lab.name for lab in labs)
    app.note(f"the machines of the lab {names} are stopped; their keys are gone, so `labctl up` recreates them")


def _by_their_marks(app: Application) -> list[Lab]:
    """The labs of a directory whose .labctl is gone. Raises HostError if this host shows none."""
    from labctl.engine.down import labs_without_files
    from labctl.providers.marks import HostMarks

    files = app.lab_files()
    found = labs_without_files(files, HostMarks(app.host))
    if not found:
        files.require()
    return found
