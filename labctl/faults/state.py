"""What is broken now, and what was: ``.labctl/faults.json``, for its owner alone (0600)."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labctl.errors import LabctlError
from labctl.host.files import write_private
from labctl.json_text import read_json
from labctl.lab_directory import LabDirectory


@dataclass(frozen=True, slots=True)
class Applied:
    """A fault that was applied.

    machine: which one it is about; host: where its script ran; undo: that script's counterpart. since, repaired:
    seconds since 1970; repaired by `labctl repair` (0: not yet). hidden: its name is not shown.
    """

    name: str
    machine: str
    host: str
    way: str
    undo: str
    since: float
    hidden: bool
    repaired: float = 0.0

    @property
    def active(self) -> bool:
        """Whether `labctl repair` still has something to undo."""
        return not self.repaired


def faults_file(files: LabDirectory) -> Path:
    """Where it is kept."""
    return files.folder / "faults.json"


def load(files: LabDirectory) -> tuple[Applied, ...]:
    """What was applied, the oldest first. Raises LabctlError if the file can't be read."""
    path = faults_file(files)
    if not path.exists():
        return ()
    try:
        return tuple(_reveal(item) for item in read_json(path.read_text(encoding="utf-8"))["faults"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        next_step = f"labctl up, then rm {path}"
        raise LabctlError(f"{path} can't be read", why=str(error), next_step=next_step) from error


def save(files: LabDirectory, applied: Sequence[Applied]) -> None:
    """Write all of them."""
    path = faults_file(files)
    text = json.dumps({"faults": [_conceal(item) for item in applied]}, indent=1) + "\n"
    write_private(path, text.encode(), like=files.folder)


def marked_repaired(applied: Sequence[Applied], done: Applied, when: float) -> tuple[Applied, ...]:
    """The same list, with one of them repaired."""
    return tuple(replace(item, repaired=when) if item is done else item for item in applied)


def _conceal(item: Applied) -> dict[str, Any]:
    """As it is written: a hidden fault so that nobody reads its name by accident. It is no encryption."""
    if not item.hidden:
        return asdict(item)
    return {"hidden": base64.b64encode(zlib.compress(json.dumps(asdict(item)).encode())).decode()}


def _reveal(item: dict[str, Any]) -> Applied:
    if isinstance(item.get("hidden"), str):
        item = read_json(zlib.decompress(base64.b64decode(item["hidden"])))
    found = Applied(**item)
    texts = (found.name, found.machine, found.host, found.way, found.undo)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a fault of another shape")
    return replace(found, since=float(found.since), repaired=float(found.repaired), hidden=bool(found.hidden))
