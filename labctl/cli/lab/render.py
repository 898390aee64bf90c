"""``labctl render``."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.setup.box import box_file_of
from labctl.engine.locked_out import require_known_secrets
from labctl.lab_directory import LabDirectory
from labctl.providers.registry import provider_of
from labctl.steps.prepare import prepare


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the files to DIR instead of .labctl.",
)
@pass_app
def render(app: Application, out: Path | None) -> None:
    """Write the Vagrantfile, the scripts and every other file; touch nothing else."""
    lab = app.lab(tell=app.note)
    folder = out.resolve() if out else app.lab_files().folder
    if out is None:  # files in another folder have secrets of their own
        require_known_secrets(provider_of(lab, app.lab_files(), app.host))
    files = LabDirectory(app.lab_files().base, folder)
    changed = prepare(lab, files, box_file=box_file_of(app, lab), host=app.host)
    for path in changed:
        app.write(f"{folder / path}\n")
    app.note(f"{len(changed)} files changed" if changed else f"no changes in {folder}")
