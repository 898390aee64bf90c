"""``labctl inventory``."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab


@click.command()
@click.option("--output", type=click.Choice(["ini", "json"]), default="ini", show_default=True)
@pass_app
def inventory(app: Application, output: str) -> None:
    """Print an Ansible inventory of the machines; Ansible reads both forms as files (.ini, .json)."""
    lab, files = app.lab(), app.lab_files()
    files.require()
    common = _common_variables(lab, files)
    app.write(_as_json(lab, common) if output == "json" else _as_ini(lab, common))


def _groups(lab: Lab) -> dict[str, list[str]]:
    """Names of machines by group. No group is called as a machine is: Ansible warns of that."""
    return {
        "ingresses": [machine.name for machine in lab.ingresses],
        "controlplanes": [lab.controlplane.name],
        "workers": [machine.name for machine in lab.workers],
    }


def _common_variables(lab: Lab, files: LabDirectory) -> dict[str, str]:
    from labctl.cli.access import ssh_access
    from labctl.cli.ssh_config import ssh_options

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


def _as_ini(lab: Lab, common: dict[str, str]) -> str:
    lines = []
    for group, names in _groups(lab).items():
        lines += [f"[{group}]", *(f"{name} ansible_host={lab.machine(name).address}" for name in names), ""]
    lines += ["[nodes:children]", "controlplanes", "workers", "", "[all:vars]"]
    return "\n".join([*lines, *(f"{name}={value}" for name, value in common.items())]) + "\n"


def _as_json(lab: Lab, common: dict[str, str]) -> str:
    children: dict[str, Any] = {
        group: {"hosts": {name: {"ansible_host": str(lab.machine(name).address)} for name in names}}
        for group, names in _groups(lab).items()
    }
    children["nodes"] = {"children": {"controlplanes": {}, "workers": {}}}
    return json.dumps({"all": {"vars": common, "children": children}}, indent=2) + "\n"
