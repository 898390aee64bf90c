"""``labctl kubectl``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.tool import ToolCommand

ADMIN_KUBECONFIG = "/etc/kubernetes/admin.conf"


@click.command(cls=ToolCommand)
@pass_app
def kubectl(app: Application, arguments: tuple[str, ...]) -> int:
    """Run kubectl on the control plane, as the cluster's administrator. A local file after -f is sent along."""
    from labctl.cli.tool import run_with_file

    command = ["env", f"KUBECONFIG={ADMIN_KUBECONFIG}", "kubectl"]
    return run_with_file(app, "controlplane", command, arguments)
