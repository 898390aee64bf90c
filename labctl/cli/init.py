"""``labctl init``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app


@click.command()
@click.option("--force", is_flag=True, help="Write over a labctl.yaml that is there already.")
@pass_app
def init(app: Application, force: bool) -> None:
    """Write a commented labctl.yaml: every key with its default and what it means."""
    from labctl.config.init_text import init_text
    from labctl.errors import UsageError
    from labctl.files import write_atomically

    file = app.lab_files().config
    if (file.exists() or file.is_symlink()) and not force:
        raise UsageError("labctl.yaml is there already", where=str(file), next_step="labctl init --force writes over it")
    write_atomically(file, init_text().encode())
    app.note(f"wrote {file}; every key in it is optional")
