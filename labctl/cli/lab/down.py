"""``labctl halt`` and ``labctl destroy``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.sudo import become_root
from labctl.engine import down
from labctl.engine.applied import applied_lab
from labctl.engine.lock import lab_lock, lock_if_possible
from labctl.errors import ConfigError, HostError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.marks import HostMarks


@click.command()
@pass_app
def halt(app: Application) -> None:
    """Stop the machines; `labctl up` starts them again."""
    files = app.lab_files()
    has_files = files.is_lab()
    labs = [applied_lab(files) or app.lab()] if has_files else _labs_without_files(app)
    for lab in labs[:1]:
        become_root(app, lab, "stop the lab's containers")
    with lab_lock(files.lock, needed=False) if has_files else lock_if_possible(files):
        for lab in labs:
            down.halt(lab, files, app.host)
    if has_files:
        app.note("the machines are stopped; `labctl up` starts them again")
    else:
        app.note(f"{_named(labs)}: the machines are stopped; their keys are missing, so `labctl up` recreates them")


def _labs_without_files(app: Application) -> list[Lab]:
    """The labs of a directory whose .labctl is missing. Raises HostError if this host has none."""
    files = app.lab_files()
    found = down.labs_without_files(files, HostMarks(app.host))
    if not found:
        files.require()
    return found


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--name", metavar="NAME", help="The lab with this name, wherever its files are or were.")
@pass_app
def destroy(app: Application, yes: bool, name: str | None) -> None:
    """Remove everything that `labctl up` made, including on this host. labctl.yaml and built boxes stay.

    It needs neither labctl.yaml nor .labctl: everything that a lab leaves on this host is marked with its name.
    """
    labs, files = _by_name(app, name) if name is not None else _here(app)
    if not yes:
        app.confirm(f"Remove {_named(labs)} with all its machines?")
    for lab in labs[:1]:
        become_root(app, lab, "remove the lab's containers, its bridge and its NAT rules", more=["--yes"])
    with lock_if_possible(files):
        removed = down.destroy(labs, files, app.host)
    for what in removed:
        app.note(f"removed {what}")
    app.note(f"{_named(labs)}: nothing is left")


def _named(labs: Sequence[Lab]) -> str:
    return f"lab{'s' if len(labs) > 1 else ''} " + ", ".join(f'"{lab.name}"' for lab in labs)


def _here(app: Application) -> tuple[Sequence[Lab], LabDirectory]:
    """The labs of this directory, whether its labctl.yaml can be read or not."""
    files, marks = app.lab_files(), HostMarks(app.host)
    configured: Lab | None = None
    unreadable: ConfigError | None = None
    try:
        configured = app.lab()
    except ConfigError as error:
        unreadable = error
    labs = down.labs_to_destroy(configured, files, marks)
    if labs:
        return labs, files
    if unreadable is not None:
        known = "; labs on this host: " + ", ".join(marks.labs()) if marks.labs() else ""
        raise ConfigError(
            unreadable.what,
            problems=unreadable.problems,
            where=unreadable.where,
            next_step=f"correct it, or: labctl destroy --name NAME{known}",
        )
    assert configured is not None
    other = marks.owner(configured.name, files)
    raise HostError(
        f'lab "{configured.name}" on this host belongs to another directory',
        why=f"it was created from {other}",
        next_step=f"labctl -C {other} destroy, or: labctl destroy --name {configured.name}",
    )


def _by_name(app: Application, name: str) -> tuple[Sequence[Lab], LabDirectory]:
    """The lab with that name, and the directory that it was created from, or this one without any of its files."""
    known = HostMarks(app.host).labs()
    if name not in known:
        labs = ", ".join(known) or "none"
        raise HostError(f'this host has no lab "{name}"', why=f"labs on this host: {labs}")
    directory = known[name] or app.directory.resolve()
    files = LabDirectory(directory)
    applied = applied_lab(files)
    if applied is not None and applied.name == name:
        return [applied], files
    if known[name] is None or applied is not None:  # its directory is unknown, or another lab's files are there
        files = LabDirectory(directory, app.host.path(f"/run/labctl/no-files-of-{name}"))
    return [down.lab_named(name)], files
