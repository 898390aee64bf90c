"""``labctl destroy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.errors import ConfigError, HostError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--name", metavar="NAME", help="The lab of this name, wherever its files are or were.")
@pass_app
def destroy(app: Application, yes: bool, name: str | None) -> None:
    """Remove everything that `labctl up` made, on this host too. labctl.yaml and built boxes stay.

    It needs neither labctl.yaml nor .labctl: what a lab left on this host is marked, and found by that.
    """
    from labctl.cli.as_root import become_root
    from labctl.engine import down
    from labctl.engine.lock import lock_where_one_can_be

    labs, files = _named(app, name) if name is not None else _here(app)
    names = ", ".join(lab.name for lab in labs)
    if not yes and not click.confirm(f"Remove the lab {names} with all its machines?", err=True):
        raise click.Abort
    for lab in labs[:1]:
        become_root(app, lab, "remove the lab's containers, its bridge and its NAT rules", more=["--yes"])
    with lock_where_one_can_be(files):
        removed = down.destroy(labs, files, app.host)
    for what in removed:
        app.note(f"removed {what}")
    app.note(f"nothing is left of the lab {names}")


def _here(app: Application) -> tuple[Sequence[Lab], LabDirectory]:
    """The labs of this directory, with or without a labctl.yaml that can be read."""
    from labctl.engine.down import labs_to_destroy
    from labctl.providers.marks import HostMarks

    files, marks = app.lab_files(), HostMarks(app.host)
    wanted: Lab | None = None
    unread: ConfigError | None = None
    try:
        wanted = app.lab()
    except ConfigError as error:
        unread = error
    labs = labs_to_destroy(wanted, files, marks)
    if labs:
        return labs, files
    if unread is not None:
        known = "; labs on this host: " + ", ".join(marks.labs()) if marks.labs() else ""
        raise ConfigError(
            unread.what,
            problems=unread.problems,
            where=unread.where,
            next_step=f"correct it, or: labctl destroy --name NAME{known}",
        )
    assert wanted is not None
    other = marks.owner(wanted.name, files)
    raise HostError(
        f"the lab {wanted.name} on this host is not this directory's",
        why=f"it was made from {other}",
        next_step=f"labctl -C {other} destroy, or: labctl destroy --name {wanted.name}",
    )


def _named(app: Application, name: str) -> tuple[Sequence[Lab], LabDirectory]:
    """The lab of that name, and the directory that it was made from, or else this one without any of its files."""
    from labctl.engine.applied import applied_lab
    from labctl.engine.down import lab_named
    from labctl.lab_directory import LabDirectory
    from labctl.providers.marks import HostMarks

    known = HostMarks(app.host).labs()
    if name not in known:
        words = ", ".join(known) or "none"
        raise HostError(f"this host has no trace of a lab {name}", why=f"labs on this host: {words}")
    directory = known[name] or app.directory.resolve()
    files = LabDirectory(directory)
    applied = applied_lab(files)
    if applied is not None and applied.name == name:
        return [applied], files
    if known[name] is None or applied is not None:  # nobody knows where its files were, or another lab's are there
        files = LabDirectory(directory, Path("/run/labctl") / f"no-files-of-{name}")
    return [lab_named(name)], files
