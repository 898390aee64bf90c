"""Everything that exists before a machine does: secrets and rendered files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.render.tree import render_tree
from labctl.render.write import write_tree
from labctl.secrets.store import SecretStore


def prepare(lab: Lab, files: LabDirectory, *, box_file: Path | None) -> list[PurePosixPath]:
    """Make the lab's secrets, where they are missing, and write its files; returns the files that changed.

    box_file: the box that labctl built, or will build. Raises LabctlError if a file cannot be rendered or written.
    """
    secrets = SecretStore(files.secrets)
    secrets.ensure(lab)
    return write_tree(files.folder, render_tree(lab, join_hash=secrets.join_hash(), box_file=box_file))
