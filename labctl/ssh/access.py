"""How to reach the machines over SSH: for labctl's own connections, and as options of the OpenSSH client."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine

ROOT = "root"


@dataclass(frozen=True, slots=True)
class SshAccess:
    """How to reach one machine. key_file, known_hosts: the lab's files; nothing of the user's SSH set-up is used.

    key_file None: a server of a class, which the user's own keys and agent open.
    """

    machine: str
    address: str
    user: str
    key_file: Path | None
    known_hosts: Path
    port: int = 22

    def as_root(self, command: str) -> str:
        """The command line that runs ``command`` as root, whichever user logs in.

        Public boxes let the user vagrant use sudo without a password (Vagrant, "Creating a Base Box"). bash reads the
        command, as it does for root, so that quoting means the same either way.
        """
        if self.user == ROOT:
            return command
        return f"sudo --non-interactive --set-home -- bash -c {shlex.quote(command)}"


def ssh_access(lab: Lab, machine: Machine, files: LabDirectory) -> SshAccess:
    """Access to a machine with the lab's key and pinned host keys, as the user that Vagrant logs in as."""
    return SshAccess(machine.name, str(machine.address), lab.provider.traits.ssh_user, files.ssh_key, files.known_hosts)


def ssh_options(access: SshAccess) -> list[str]:
    """Options of the OpenSSH client (ssh_config(5)), each as ``Name=value``: the lab's key, the pinned host keys."""
    return [
        f"User={access.user}",
        f"Port={access.port}",
        *([f"IdentityFile={_quoted(access.key_file)}", "IdentitiesOnly=yes"] if access.key_file else []),
        f"UserKnownHostsFile={_quoted(access.known_hosts)}",
        "GlobalKnownHostsFile=none",
        "StrictHostKeyChecking=yes",
        "LogLevel=ERROR",
        "ServerAliveInterval=15",
    ]


def ssh_config_text(lab: Lab, files: LabDirectory) -> str:
    """An ssh_config with an entry per machine."""
    return "\n".join(_host(ssh_access(lab, machine, files), lab.name) for machine in lab.machines)


def _host(access: SshAccess, lab: str) -> str:
    lines = [f"HostName {access.address}", *(option.replace("=", " ", 1) for option in ssh_options(access))]
    return f"Host {access.machine} {access.machine}.{lab}\n" + "".join(f"  {line}\n" for line in lines)


def _quoted(path: Path) -> str:
    """A path as ssh_config takes it: in double quotes, with % doubled, as % starts ssh's own placeholders."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
