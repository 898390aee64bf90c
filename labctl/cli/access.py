"""How the machines are reached over SSH, for labctl's own connections and for the user's ssh."""

from __future__ import annotations

from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.ssh.connections import SshAccess


def ssh_access(lab: Lab, machine: Machine, files: LabDirectory) -> SshAccess:
    """The access to one machine with the lab's own key and pinned host keys, as the user that Vagrant logs in as."""

    return SshAccess(machine.name, str(machine.address), lab.provider.traits.ssh_user, files.ssh_key, files.known_hosts)
