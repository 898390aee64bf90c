"""How the machines are reached over SSH, for labctl's own connections and for the user's ssh."""

from __future__ import annotations

from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.remote.ssh import SshAccess

USER = "root"


def ssh_access(machine: Machine, files: LabDirectory, user: str = USER) -> SshAccess:
    """The access to one machine with the lab's own key and pinned host keys."""
    return SshAccess(machine.name, str(machine.address), user, files.ssh_key, files.known_hosts)


def user_access(lab: Lab, machine: Machine, files: LabDirectory) -> SshAccess:
    """The same for the user's own programs: as the user that Vagrant logs in as on this provider."""
    from labctl.render.values import ssh_user

    return ssh_access(machine, files, ssh_user(lab))
