"""``labctl kubeconfig``, ``ssh-config``, ``hosts`` and ``inventory``: what other tools need to reach the lab."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.options import output_option
from labctl.errors import HostError
from labctl.host import hosts_file
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.ssh.access import ssh_access, ssh_config_text, ssh_options


@click.command()
@pass_app
def kubeconfig(app: Application) -> None:
    """Print the administrator's kubeconfig, for the host's own kubectl: labctl kubeconfig > admin.conf."""
    files = app.lab_files()
    files.require()
    try:
        data = files.admin_kubeconfig.read_bytes()
    except OSError as error:
        raise HostError(
            f"cannot read {files.admin_kubeconfig}", why=str(error.strerror), next_step="labctl up"
        ) from error
    app.write(data)


@click.command("ssh-config")
@pass_app
def ssh_config(app: Application) -> None:
    """Print an ssh_config for the machines: labctl ssh-config > lab.conf; ssh -F lab.conf worker1."""
    lab, files = app.lab(), app.lab_files()
    files.require()
    app.write(ssh_config_text(lab, files))


@click.command()
@click.option("--apply", "action", flag_value="apply", help="Write the line to /etc/hosts; needs root.")
@click.option("--remove", "action", flag_value="remove", help="Remove the line from /etc/hosts; needs root.")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), hidden=True)
@pass_app
def hosts(app: Application, action: str | None, file: Path | None) -> None:
    """Print the application's line for /etc/hosts; with --apply or --remove, write or remove it."""
    lab, file = app.lab(), file or app.host.path(hosts_file.HOSTS_FILE)
    line = hosts_file.hosts_line(lab)
    if action is None:
        app.write(line + "\n")
    elif action == "remove":
        changed = hosts_file.remove_line(lab.name, file)
        app.note(f"removed from {file}: {line}" if changed else f'{file} has no line for lab "{lab.name}"')
    else:
        changed = hosts_file.apply_line(lab, file)
        app.note(f"{'written to' if changed else 'already in'} {file}: {line}")
        for rival in hosts_file.conflicting_lines(file.read_text(errors="replace"), lab):
            app.note(f"warning: {file} also has another address for {lab.app.host}: {rival}")


@click.command()
@output_option("ini", "json")
@pass_app
def inventory(app: Application, output: str) -> None:
    """Print an Ansible inventory of the machines. Ansible reads both forms as files (.ini, .json)."""
    lab, files = app.lab(), app.lab_files()
    files.require()
    variables = _common_variables(lab, files)
    app.write(_as_json(lab, variables) if output == "json" else _as_ini(lab, variables))


def _groups(lab: Lab) -> dict[str, list[str]]:
    """Names of machines by group. No group has the name of a machine: Ansible warns about that."""
    return {
        "ingresses": [machine.name for machine in lab.ingresses],
        "controlplanes": [lab.controlplane.name],
        "workers": [machine.name for machine in lab.workers],
    }


def _common_variables(lab: Lab, files: LabDirectory) -> dict[str, str]:
    access = ssh_access(lab, lab.ingress, files)
    wanted = ("IdentitiesOnly=", "UserKnownHostsFile=", "GlobalKnownHostsFile=", "StrictHostKeyChecking=")
    options = [option for option in ssh_options(access) if option.startswith(wanted)]
    return {
        "ansible_user": access.user,
        "ansible_port": str(access.port),
        "ansible_ssh_private_key_file": str(access.key_file),
        "ansible_ssh_common_args": " ".join(f"-o {shlex.quote(option)}" for option in options),
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def _as_ini(lab: Lab, variables: dict[str, str]) -> str:
    lines = []
    for group, names in _groups(lab).items():
        lines += [f"[{group}]", *(f"{name} ansible_host={lab.machine(name).address}" for name in names), ""]
    lines += ["[nodes:children]", "controlplanes", "workers", "", "[all:vars]"]
    return "\n".join([*lines, *(f"{name}={value}" for name, value in variables.items())]) + "\n"


def _as_json(lab: Lab, variables: dict[str, str]) -> str:
    children: dict[str, Any] = {
        group: {"hosts": {name: {"ansible_host": str(lab.machine(name).address)} for name in names}}
        for group, names in _groups(lab).items()
    }
    children["nodes"] = {"children": {"controlplanes": {}, "workers": {}}}
    return json.dumps({"all": {"vars": variables, "children": children}}, indent=2) + "\n"
