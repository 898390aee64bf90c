"""``labctl inventory``."""

from __future__ import annotations

import json

import click

from labctl.cli.app import Application, pass_app


@click.command()
@click.option("--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@pass_app
def inventory(app: Application, output: str) -> None:
    """Print an Ansible inventory of the machines, by role."""
    from labctl.model.lab import Role
    from labctl.render.values import ssh_user

    lab, files = app.lab(), app.lab_files()
    groups: dict[str, object] = {
        role.value: {
            "hosts": {
                machine.name: {"ansible_host": str(machine.address)} for machine in lab.machines if machine.role is role
            }
        }
        for role in Role
    }
    variables = {
        "ansible_user": ssh_user(lab),
        "ansible_ssh_private_key_file": str(files.ssh_key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile='{files.known_hosts}' -o StrictHostKeyChecking=yes",
    }
    document = {"all": {"children": groups, "vars": variables}}
    if output == "json":
        app.write(json.dumps(document, indent=2) + "\n")
        return
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(document, text)
    app.write(text.getvalue())
