"""``labctl init``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.config.init_text import init_text
from labctl.errors import HostError, UsageError
from labctl.host.files import write_atomically


@click.command()
@click.option("--force", is_flag=True, help="Overwrite an existing labctl.yaml.")
@pass_app
def init(app: Application, force: bool) -> None:
    """Write a labctl.yaml with every key, its meaning and its default, commented out."""
    file = app.directory / "labctl.yaml"
    if (file.exists() or file.is_symlink()) and not force:
        raise UsageError(f"{file} already exists", next_step="labctl init --force overwrites it")
    try:
        write_atomically(file, init_text().encode())
    except OSError as error:
        raise HostError(f"cannot write {file}", why=str(error.strerror)) from error
    app.note(f"wrote {file}; every key in it is optional. Next: labctl up")
