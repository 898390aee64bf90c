"""``labctl init``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.errors import HostError, UsageError


@click.command()
@click.option("--force", is_flag=True, help="Write over a labctl.yaml that exists.")
@pass_app
def init(app: Application, force: bool) -> None:
    """Write a labctl.yaml in which every key stands with its meaning and its default, commented out."""
    from labctl.config.init_text import init_text
    from labctl.host.files import write_atomically

    file = app.directory / "labctl.yaml"
    if (file.exists() or file.is_symlink()) and not force:
        raise UsageError(f"{file} exists already", next_step="labctl init --force writes over it")
    try:
        write_atomically(file, init_text().encode())
    except OSError as error:
        raise HostError(f"{file} can't be written", why=str(error.strerror)) from error
    app.note(f"wrote {file}; every key in it is optional. Next: labctl up")
