"""The files of a lab that belong to its machines: saved with a snapshot, and put back with it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from labctl.config import parse
from labctl.config.overrides import read_choices
from labctl.engine.applied import applied_text
from labctl.errors import LabctlError
from labctl.host.files import write_atomically
from labctl.lab_directory import LabDirectory

_PINS = "labctl.lock"


def _stays(files: LabDirectory, entry: Path) -> bool:
    """Whether it is no part of a snapshot: logs, locks, what is Vagrant's, snapshots, labs of a measurement."""
    apart = (files.vagrant_home, files.vagrant_notes, files.logs, files.bench, files.folder / "snapshots")
    return entry in apart or entry.name.startswith((files.lock.name, files.log.name))


def save_files(files: LabDirectory, target: Path) -> None:
    """Copy them to a new folder. Raises OSError."""
    target.mkdir(mode=0o700)
    for entry in files.folder.iterdir():
        if not _stays(files, entry):
            _copy(entry, target / entry.name)
    if files.pins.is_file():
        _copy(files.pins, target.parent / _PINS)


def put_back(files: LabDirectory, source: Path) -> list[str]:
    """Put them back in place of what is there; may be done again. Returns notes for the user. Raises OSError.

    labctl.yaml is the user's: it is put back only if it describes another lab now, and theirs is kept.
    """
    files.folder.mkdir(parents=True, exist_ok=True)
    for entry in files.folder.iterdir():
        if not _stays(files, entry):
            _remove(entry)
    for entry in source.iterdir():
        _copy(entry, files.folder / entry.name)
    if (source.parent / _PINS).is_file():
        write_atomically(files.pins, (source.parent / _PINS).read_bytes())
    return _put_config_back(files)


def _put_config_back(files: LabDirectory) -> list[str]:
    now, then = files.config.read_bytes() if files.config.is_file() else b"", applied_text(files)
    if then is None or _same_lab(files, now, then):
        return []
    notes = ["labctl.yaml is as it was when the snapshot was taken: it described another lab since"]
    if files.config.is_file():
        kept = files.config.with_name(f"labctl.yaml.{time.strftime('%Y%m%d-%H%M%S')}")
        files.config.rename(kept)
        notes.append(f"the other labctl.yaml is now {kept.name}")
    if then:
        write_atomically(files.config, then)
    return notes


def _same_lab(files: LabDirectory, now: bytes, then: bytes) -> bool:
    """Whether both describe the same lab, whatever they look like."""
    if now == then:
        return True
    choices = read_choices(files.choices)
    try:
        return parse(now, overrides=choices, where="labctl.yaml") == parse(then, overrides=choices, where="labctl.yaml")
    except LabctlError:
        return False


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
