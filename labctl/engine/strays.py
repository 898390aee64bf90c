"""Containers that do not fit what the lab wants, or what Vagrant knows: put right before anything boots."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from labctl.errors import StepError
from labctl.files import write_atomically
from labctl.host.marks import HostMarks
from labctl.lab_directory import LabDirectory
from labctl.machines import lxc
from labctl.model.lab import Lab, Provider
from labctl.remote.ssh import Connections
from labctl.render.values import container_prefix

_DEADLINE = 60.0


def strays(lab: Lab) -> frozenset[str]:
    """The names of machines that exist under the lab's name although the lab does not list them."""
    if lab.provider is not Provider.LXC:
        return frozenset()
    return lxc.left_of(lab) - {machine.name for machine in lab.machines}


def remove_strays(lab: Lab, files: LabDirectory, names: frozenset[str]) -> None:
    """Remove those machines and what Vagrant noted about them. Raises LabctlError if one resists."""
    lxc.remove(lab, names)
    for name in names:
        shutil.rmtree(files.folder / ".vagrant" / "machines" / name, ignore_errors=True)


def agree_with_vagrant(lab: Lab, files: LabDirectory, asleep: frozenset[str]) -> None:
    """Let Vagrant and LXC agree on the machines that do not run; Vagrant would refuse to boot them otherwise.

    A container that Vagrant does not know was made by a Vagrant that was killed, or Vagrant's own files were lost. One
    that never booted holds nothing and is removed; one that did is made known again. One without a configuration can't
    be started by anybody, and is removed. Raises LabctlError.
    """
    if lab.provider is not Provider.LXC:
        return
    whole = lxc.existing(lab)
    left = lxc.left_of(lab) & asleep
    unknown = {name for name in left if not _id_file(files, name).is_file()}
    booted = {name for name in unknown & whole if HostMarks().has_booted(lab.name, name)}
    remove_strays(lab, files, (left - whole) | (unknown - booted))
    for name in booted:
        write_atomically(_id_file(files, name), (container_prefix(lab) + name).encode())


def _id_file(files: LabDirectory, machine: str) -> Path:
    """Where Vagrant keeps which container a machine is (Vagrant 2.3.4, lib/vagrant/machine.rb, id=)."""
    return files.folder / ".vagrant" / "machines" / machine / "lxc" / "id"


def forget_nodes(lab: Lab, connections: Connections, names: frozenset[str]) -> None:
    """Take those nodes out of the cluster; their pods start elsewhere. Raises StepError if the cluster refuses."""
    nodes = shlex.join(sorted(names))
    command = f"kubectl --kubeconfig /etc/kubernetes/admin.conf delete node --ignore-not-found {nodes}"
    done = connections.to(lab.controlplane.name).run(command, deadline=_DEADLINE)
    if not done.ok:
        raise StepError("a node that is gone cannot be taken out of the cluster", why=done.stderr.strip())
