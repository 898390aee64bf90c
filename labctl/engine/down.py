"""Stopping a lab, and removing everything that ``up`` made, whatever state it is in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial

from labctl.config.build import build
from labctl.config.schema import Config
from labctl.engine.applied import applied_lab
from labctl.engine.lock import lab_lock
from labctl.errors import LabctlError
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Provider
from labctl.providers.marks import HostMarks
from labctl.providers.processes import end_leftovers
from labctl.providers.registry import provider_of


def halt(lab: Lab, files: LabDirectory, host: Host) -> None:
    """Stop the machines; ``up`` starts them again. Raises LabctlError if one does not stop."""
    end_leftovers(lab, files.folder, host, by_labctl=True)
    provider_of(lab, files, host).halt()


def labs_without_files(files: LabDirectory, marks: HostMarks) -> list[Lab]:
    """The labs of a directory that have machines, according to the marks on this host alone."""
    return [lab_named(name) for name in marks.labs_of(files.base) if marks.machines(name)]


def lab_named(name: str) -> Lab:
    """A lab of which only the name is known: enough to find and remove what it left on this host."""
    return build(Config(name=name), Provider.LXC)


def labs_to_destroy(wanted: Lab | None, files: LabDirectory, marks: HostMarks) -> list[Lab]:
    """The labs that belong to a directory: as labctl.yaml says (wanted), as `up` last made it, as this host shows.

    A lab of the same name that was made from another directory is not among them.
    """
    applied = applied_lab(files)
    labs = [applied] if applied is not None else []
    labs += [lab_named(name) for name in marks.labs_of(files.base)]
    if wanted is not None and (files.config.exists() or not labs):
        labs.append(wanted)
    labs.sort(key=lambda lab: lab is applied)  # of one name, the one that `up` made counts
    own = {lab.name: lab for lab in labs if marks.owner(lab.name, files) is None}
    return list(own.values())


def destroy(labs: Sequence[Lab], files: LabDirectory, host: Host) -> list[str]:
    """Remove the labs' machines, what was made on the host for them, and ``.labctl/``; returns what was removed.

    Raises LabctlError if something cannot be removed, after removing everything else. Labs that a killed ``labctl
    bench`` left in this lab's folder go before it does; one at which a labctl is at work raises LockedError before
    anything is removed.
    """
    removed: list[str] = []
    failures: list[LabctlError] = []
    for beside in files.beside():
        with lab_lock(beside.lock, needed=False):
            _attempt(failures, partial(_destroy_beside, beside, host, removed))
    for lab in labs:
        _attempt(failures, partial(_destroy_lab, lab, files, host, removed))
    if not failures:
        _attempt(failures, lambda: _remove_folder(files, removed))
    if failures:
        raise failures[0]
    return removed


def _destroy_beside(files: LabDirectory, host: Host, removed: list[str]) -> None:
    removed += destroy(labs_to_destroy(None, files, HostMarks(host)), files, host)


def _destroy_lab(lab: Lab, files: LabDirectory, host: Host, removed: list[str]) -> None:
    end_leftovers(lab, files.folder, host)
    removed += provider_of(lab, files, host).destroy()


def _remove_folder(files: LabDirectory, removed: list[str]) -> None:
    """Remove .labctl. If it is a link or a file, remove only that."""
    folder = files.folder
    try:
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
        else:
            return
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
        raise LabctlError(f"{folder} can't be removed", where=str(folder), why=why) from error
    removed.append(str(folder))


def _attempt(failures: list[LabctlError], do: Callable[[], None]) -> None:
    """Do one part. An error is recorded, and the other parts still run."""
    try:
        do()
    except LabctlError as error:
        failures.append(error)
