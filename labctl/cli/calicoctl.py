"""``labctl calicoctl``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.kubectl import ADMIN_KUBECONFIG
from labctl.cli.tool import ToolCommand


@click.command(cls=ToolCommand)
@pass_app
def calicoctl(app: Application, arguments: tuple[str, ...]) -> int:
    """Run calicoctl on the control plane. A local file after -f is sent along."""
    from labctl.cli.tool import run_with_file

    command = ["env", f"KUBECONFIG={ADMIN_KUBECONFIG}", "DATASTORE_TYPE=kubernetes", "calicoctl"]
    return run_with_file(app, "controlplane", command, arguments)
