"""Machines that the lab had and no longer wants: fewer workers in labctl.yaml than there are containers."""

from __future__ import annotations

import shlex
import shutil

from labctl.errors import StepError
from labctl.lab_directory import LabDirectory
from labctl.machines import lxc
from labctl.model.lab import Lab, Provider
from labctl.remote.ssh import Connections

_DEADLINE = 60.0


def strays(lab: Lab) -> frozenset[str]:
    """The names of machines that exist under the lab's name although the lab does not list them."""
    if lab.provider is not Provider.LXC:
        return frozenset()
    return lxc.existing(lab) - {machine.name for machine in lab.machines}


def remove_strays(lab: Lab, files: LabDirectory, names: frozenset[str]) -> None:
    """Remove those machines and what Vagrant noted about them. Raises LabctlError if one resists."""
    lxc.remove(lab, names)
    for name in names:
        shutil.rmtree(files.folder / ".vagrant" / "machines" / name, ignore_errors=True)


def forget_nodes(lab: Lab, connections: Connections, names: frozenset[str]) -> None:
    """Take those nodes out of the cluster; their pods start elsewhere. Raises StepError if the cluster refuses."""
    nodes = shlex.join(sorted(names))
    command = f"kubectl --kubeconfig /etc/kubernetes/admin.conf delete node --ignore-not-found {nodes}"
    done = connections.to(lab.controlplane.name).run(command, deadline=_DEADLINE)
    if not done.ok:
        raise StepError("a node that is gone cannot be taken out of the cluster", why=done.stderr.strip())
