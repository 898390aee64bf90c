"""How the machines are reached over SSH, for labctl's own connections and for the user's ssh."""

from __future__ import annotations

from labctl.lab_directory import LabDirectory
from labctl.model.lab import Machine
from labctl.remote.ssh import SshAccess

USER = "root"


def ssh_access(machine: Machine, files: LabDirectory) -> SshAccess:
    """The access to one machine with the lab's own key and pinned host keys."""
    return SshAccess(machine.name, str(machine.address), USER, files.ssh_key, files.known_hosts)
