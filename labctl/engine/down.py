"""Stopping a lab, and removing everything that ``up`` made, whatever state it is in."""

from __future__ import annotations

import shutil

from labctl.engine.prepare import prepare
from labctl.errors import LabctlError
from labctl.lab_directory import LabDirectory
from labctl.machines import lxc
from labctl.machines.vagrant import VagrantMachines
from labctl.model.lab import Lab, Provider


def halt(lab: Lab, files: LabDirectory) -> None:
    """Stop the machines; ``up`` starts them again. Raises LabctlError if one does not stop."""
    files.require()
    VagrantMachines(lab, files).halt()


def destroy(lab: Lab, files: LabDirectory) -> list[str]:
    """Remove the machines, what was made on the host for them, and ``.labctl/``; returns what was removed, in words.

    Vagrant goes first; what it does not know of any more is found by the lab's name. Raises LabctlError if something
    resists; nothing that could be removed is left because of that.
    """
    removed = []
    if files.folder.exists():
        prepare(lab, files, box_file=None)
    failure = _destroy_by_vagrant(lab, files)
    if lab.provider is Provider.LXC:
        removed += _remove_from_host(lab, files)
        failure = None
    if failure is not None:
        raise failure
    if files.folder.exists():
        shutil.rmtree(files.folder)
        removed.append(str(files.folder))
    return removed


def _destroy_by_vagrant(lab: Lab, files: LabDirectory) -> LabctlError | None:
    """Let Vagrant destroy what it knows; returns what went wrong instead of raising it."""
    if not (files.folder / ".vagrant").exists():
        return None
    try:
        VagrantMachines(lab, files).destroy()
    except LabctlError as error:
        return error
    return None


def _remove_from_host(lab: Lab, files: LabDirectory) -> list[str]:
    """Containers that Vagrant lost track of, the bridge, NAT, the host's own kernel settings put back."""
    left = lxc.existing(lab)
    lxc.remove(lab, left)
    if not files.host_script.exists():
        prepare(lab, files, box_file=None)
    lxc.run_host_script(files.host_script, "down")
    return [f"container {name}" for name in sorted(left)]
