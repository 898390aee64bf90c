"""labctl.yaml as `up` last carried it out, kept in .labctl: so a change is seen, and a lab found that was renamed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from labctl.config import parse
from labctl.config.build import build
from labctl.config.loader import MAX_BYTES
from labctl.config.overrides import read_choices
from labctl.errors import LabctlError
from labctl.host.files import write_atomically
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Provider


def remember(files: LabDirectory) -> None:
    """Keep labctl.yaml as it is now; the choices beside it are kept by `up`. Raises OSError if it can't be written."""
    content = files.config.read_bytes() if files.config.is_file() else b""
    write_atomically(_file(files), _head(content) + content)


def applied_lab(files: LabDirectory) -> Lab | None:
    """The lab that `up` last set out to make; None where there was none, or nobody can say any more."""
    path = _file(files)
    try:
        if path.is_symlink() or path.stat().st_size > MAX_BYTES + len(_head(b"")):
            return None
        head, end, content = path.read_bytes().partition(b"\n")
        if head + end != _head(content):
            return None  # damaged: half of a file, and an empty one, would be another lab's
        choices = read_choices(files.choices)
        config = parse(content, overrides=choices, where=str(path))
        return build(config, Provider(choices.provider or config.provider))
    except (OSError, LabctlError, ValueError):
        return None


def _head(content: bytes) -> bytes:
    """The line before what is kept, by which damage shows."""
    return b"# labctl.yaml as `labctl up` last carried it out; SHA-256 " + sha256(content).hexdigest().encode() + b"\n"


def _file(files: LabDirectory) -> Path:
    return files.folder / "applied.yaml"
