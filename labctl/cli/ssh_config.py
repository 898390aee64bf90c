"""``labctl ssh-config``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab


@click.command("ssh-config")
@pass_app
def ssh_config(app: Application) -> None:
    """Print an ssh_config for the machines: labctl ssh-config > lab.ssh; ssh -F lab.ssh worker1."""
    lab, files = app.lab(), app.lab_files()
    for machine in lab.machines:
        app.write(f"Host {machine.name}\n")
        for option in options_for(files, lab, machine.name):
            keyword, _, value = option.partition("=")
            app.write(f"  {keyword} {value}\n")


def options_for(files: LabDirectory, lab: Lab, machine: str) -> list[str]:
    """ssh's options for one machine: the lab's key, and the host key that labctl made (ssh_config(5))."""
    from labctl.render.values import ssh_user

    return [
        f"HostName={lab.machine(machine).address}",
        f"User={ssh_user(lab)}",
        f'IdentityFile="{files.ssh_key}"',
        "IdentitiesOnly=yes",
        f'UserKnownHostsFile="{files.known_hosts}"',
        "StrictHostKeyChecking=yes",
        "LogLevel=ERROR",
    ]
