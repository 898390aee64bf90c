"""``labctl ssh-config``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab
    from labctl.ssh.connections import SshAccess


@click.command("ssh-config")
@pass_app
def ssh_config(app: Application) -> None:
    """Print an ssh_config for the machines: labctl ssh-config > lab.conf; ssh -F lab.conf worker1."""
    lab, files = app.lab(), app.lab_files()
    files.require()
    app.write(ssh_config_text(lab, files))


def ssh_config_text(lab: Lab, files: LabDirectory) -> str:
    """An entry per machine."""
    from labctl.cli.access import ssh_access

    return "\n".join(_host(ssh_access(lab, machine, files), lab.name) for machine in lab.machines)


def _host(access: SshAccess, lab: str) -> str:
    lines = [f"HostName {access.address}", *(option.replace("=", " ", 1) for option in ssh_options(access))]
    return f"Host {access.machine} {access.machine}.{lab}\n" + "".join(f"  {line}\n" for line in lines)


def ssh_options(access: SshAccess) -> list[str]:
    """Options of the OpenSSH client (ssh_config(5)), each as ``Name=value``: the lab's key, the pinned host keys."""
    return [
        f"User={access.user}",
        f"Port={access.port}",
        f"IdentityFile={_quoted(access.key_file)}",
        "IdentitiesOnly=yes",
        f"UserKnownHostsFile={_quoted(access.known_hosts)}",
        "GlobalKnownHostsFile=none",
        "StrictHostKeyChecking=yes",
        "LogLevel=ERROR",
        "ServerAliveInterval=15",
    ]


def _quoted(path: Path) -> str:
    """A path as ssh_config takes it: in double quotes, with % doubled, as % starts ssh's own placeholders."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
