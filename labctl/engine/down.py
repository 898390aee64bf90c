"""Stopping a lab, and removing everything that ``up`` made, whatever state it is in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from labctl.config.build import build
from labctl.config.schema import Config
from labctl.engine.applied import applied_lab
from labctl.engine.lock import lab_lock
from labctl.engine.prepare import prepare, restore_host
from labctl.errors import LabctlError
from labctl.host.host import Host
from labctl.host.hosts_file import HOSTS_FILE, remove_line
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Provider
from labctl.providers.lxc import containers as lxc
from labctl.providers.lxc.marks import HostMarks
from labctl.providers.processes import end_leftovers
from labctl.providers.vagrant import VagrantMachines


def halt(lab: Lab, files: LabDirectory) -> None:
    """Stop the machines; ``up`` starts them again. Raises LabctlError if one does not stop.

    Containers are found by the lab's name, also where the lab's files are gone.
    """
    if not lab.provider.traits.leaves_marks:
        files.require()
    end_leftovers(lab, files.folder, by_labctl=True)
    if not lab.provider.traits.leaves_marks:
        VagrantMachines(lab, files).halt()
        return
    if files.is_lab():
        # Vagrant stops those that it knows, where its own notes are whole; vagrant.log has its words.
        with suppress(LabctlError):
            VagrantMachines(lab, files).halt()
    lxc.stop(lab, lxc.running(lab))


def labs_without_files(files: LabDirectory, marks: HostMarks) -> list[Lab]:
    """The labs that were made from a directory and have machines, as this host's marks alone tell."""
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


def destroy(labs: Sequence[Lab], files: LabDirectory) -> list[str]:
    """Remove the labs' machines, what was made on the host for them, and ``.labctl/``; returns what was removed.

    Vagrant goes first; what it does not know of any more is found by the lab's name. Raises LabctlError if something
    resists; nothing that could be removed is left because of that. Labs that a killed ``labctl bench`` left in this
    lab's folder go before it does; one at which a labctl is at work raises LockedError before anything is removed.
    """
    removed: list[str] = []
    failures: list[LabctlError] = []
    for beside in files.beside():
        with lab_lock(beside.lock, needed=False):
            _attempt(failures, partial(_destroy_beside, beside, removed))
    for lab in labs:
        _attempt(failures, partial(_destroy_lab, lab, files, removed))
    if not failures:
        _attempt(failures, lambda: _remove_folder(files, removed))
    if failures:
        raise failures[0]
    return removed


def _destroy_beside(files: LabDirectory, removed: list[str]) -> None:
    removed += destroy(labs_to_destroy(None, files, HostMarks()), files)


def _destroy_lab(lab: Lab, files: LabDirectory, removed: list[str]) -> None:
    failures: list[LabctlError] = []
    end_leftovers(lab, files.folder)
    by_vagrant = _destroy_by_vagrant(lab, files)
    if not lab.provider.traits.leaves_marks:
        if by_vagrant is not None:
            raise by_vagrant
        return
    left = lxc.left_of(lab)
    _attempt(failures, lambda: lxc.remove(lab, left))
    lxc.forget_empty_cgroups(lab)
    _attempt(failures, lambda: restore_host(lab))
    _attempt(
        failures,
        lambda: removed.extend(["the line in /etc/hosts"] if remove_line(lab.name, Host().path(HOSTS_FILE)) else []),
    )
    removed += [f"container {name}" for name in sorted(left)]
    if failures:
        raise failures[0]


def _destroy_by_vagrant(lab: Lab, files: LabDirectory) -> LabctlError | None:
    """Let Vagrant destroy what it knows; returns what went wrong instead of raising it."""
    if files.folder.is_symlink() or not (files.folder / ".vagrant").exists():
        return None
    try:
        prepare(lab, files, box_file=None)
        VagrantMachines(lab, files).destroy()
    except LabctlError as error:
        return error
    except OSError as error:
        return LabctlError("Vagrant's files can't be written", where=str(files.folder), why=str(error))
    return None


def _remove_folder(files: LabDirectory, removed: list[str]) -> None:
    """Remove .labctl; where something else stands in its place, a link or a file, that alone."""
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
    """Do one part; what goes wrong is kept, and the other parts are done all the same."""
    try:
        do()
    except LabctlError as error:
        failures.append(error)
