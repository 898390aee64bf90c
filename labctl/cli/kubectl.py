"""``labctl kubectl``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.passthrough import TOOL_SETTINGS, run_tool


@click.command(context_settings=TOOL_SETTINGS, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@pass_app
def kubectl(app: Application, words: tuple[str, ...]) -> int:
    """Run kubectl on the control plane, with all that follows."""
    lab = app.lab()
    environment = "KUBECONFIG=/etc/kubernetes/admin.conf"
    return run_tool(app, lab, lab.controlplane.name, ["kubectl", *words], environment=environment)
