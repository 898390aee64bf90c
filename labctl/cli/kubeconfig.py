"""``labctl kubeconfig``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app


@click.command()
@pass_app
def kubeconfig(app: Application) -> None:
    """Print the administrator's kubeconfig: labctl kubeconfig > lab.kubeconfig; kubectl --kubeconfig lab.kubeconfig get nodes."""
    files = app.lab_files()
    files.require()
    app.write(files.admin_kubeconfig.read_bytes())
