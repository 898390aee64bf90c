"""``labctl kubeconfig``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.errors import HostError


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
            f"{files.admin_kubeconfig} can't be read", why=str(error.strerror), next_step="labctl up"
        ) from error
    app.write(data)
