"""Render a lab's files and write those that changed."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

from labctl.errors import LabctlError
from labctl.host.files import disk_remedy, write_atomically
from labctl.host.host import Host
from labctl.host.networks import host_internet
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Source
from labctl.secrets.store import SecretStore
from labctl.sources.pins import pins_text, read_pins
from labctl.steps.tree import RenderedFile, Tree, render_tree
from labctl.text import read_json

_MANIFEST = "rendered.json"


def write_tree(folder: Path, tree: Tree) -> list[PurePosixPath]:
    """Write tree below folder; returns the paths that changed, removed ones included.

    Raises LabctlError where something else is in the way.
    """
    changed = [path for path in sorted(_manifest(folder) - set(tree), reverse=True) if _remove(folder, path)]
    for path, file in sorted(tree.items()):
        target = folder / path
        try:
            if write_atomically(target, file.content, mode=file.mode):
                changed.append(path)
        except OSError as error:
            raise LabctlError(
                f"{target} cannot be written", where=str(target), why=error.strerror or "", next_step=disk_remedy(error)
            ) from error
    names = sorted(str(path) for path in tree)
    write_atomically(folder / _MANIFEST, (json.dumps(names, indent=1) + "\n").encode())
    return changed


def _manifest(folder: Path) -> set[PurePosixPath]:
    try:
        names = read_json((folder / _MANIFEST).read_text())
    except (OSError, ValueError):
        return set()
    paths = {PurePosixPath(name) for name in names if isinstance(name, str)} if isinstance(names, list) else set()
    return {path for path in paths if not path.is_absolute() and ".." not in path.parts}


def _remove(folder: Path, path: PurePosixPath) -> bool:
    """Remove a file and the folders that it leaves empty; returns whether it was there.

    Nothing that a link leads to outside folder is touched.
    """
    with suppress(OSError, ValueError):  # ValueError: a name that no file can have
        if not Path(os.path.realpath((folder / path).parent)).is_relative_to(os.path.realpath(folder)):
            return False
        (folder / path).unlink()
        with suppress(OSError):
            for parent in path.parents:
                if parent != PurePosixPath("."):
                    (folder / parent).rmdir()
        return True
    return False


# What a machine is told of labctl.lock; scripts/files/fetch.sh reads it.
KNOWN_PINS = "known-pins"


def prepare(lab: Lab, files: LabDirectory, *, box_file: Path | None, host: Host) -> list[PurePosixPath]:
    """Create the lab's missing secrets and write its files; returns the files that changed.

    box_file: the box that labctl built, or will build. host: whose proxies and name servers the machines get.
    Raises LabctlError if a file cannot be rendered or written.
    """
    secrets = SecretStore(files.secrets)
    secrets.ensure(lab)
    internet = host_internet(lab, host) if lab.source is Source.UPSTREAM else None
    tree = render_tree(lab, join_hash=secrets.join_hash(), box_file=box_file, internet=internet)
    if lab.source is Source.UPSTREAM:
        known = RenderedFile(pins_text(read_pins(files.pins)).encode())
        tree |= {PurePosixPath("machines", machine.name, KNOWN_PINS): known for machine in lab.machines}
    return write_tree(files.folder, tree)
