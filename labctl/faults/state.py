"""Which faults were applied to a lab: ``.labctl/faults.json``, readable by its owner only (0600)."""

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
from labctl.lab_directory import LabDirectory
from labctl.text import read_json


@dataclass(frozen=True, slots=True)
class AppliedFault:
    """A fault that was applied.

    machine: which one has it. script_machine: where its script ran. method: see fault.Method. undo: the script that
    undoes it. since: when it was applied; repaired: when `labctl repair` undid it, 0 if it did not (both in seconds
    since 1970). hidden: its name is not shown.
    """

    name: str
    machine: str
    script_machine: str
    method: str
    undo: str
    since: float
    hidden: bool
    repaired: float = 0.0

    @property
    def active(self) -> bool:
        """Whether `labctl repair` still has something to undo."""
        return not self.repaired


_JSON_KEYS = {"script_machine": "host", "method": "way"}
"""Fields that have another name in faults.json."""


def faults_file(files: LabDirectory) -> Path:
    """The file of applied faults."""
    return files.folder / "faults.json"


def load(files: LabDirectory) -> tuple[AppliedFault, ...]:
    """The applied faults, the oldest first. Raises LabctlError if the file can't be read."""
    path = faults_file(files)
    if not path.exists():
        return ()
    try:
        return tuple(_from_json(item) for item in read_json(path.read_text(encoding="utf-8"))["faults"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        next_step = f"labctl up, then rm {path}"
        raise LabctlError(f"{path} can't be read", why=str(error), next_step=next_step) from error


def save(files: LabDirectory, applied: Sequence[AppliedFault]) -> None:
    """Write all of them."""
    text = json.dumps({"faults": [_to_json(item) for item in applied]}, indent=1) + "\n"
    write_private(faults_file(files), text.encode(), like=files.folder)


def _to_json(item: AppliedFault) -> dict[str, Any]:
    """As it is written. A hidden fault is encoded, so that no one reads its name by accident; that is no encryption."""
    data = {_JSON_KEYS.get(name, name): value for name, value in asdict(item).items()}
    if not item.hidden:
        return data
    return {"hidden": base64.b64encode(zlib.compress(json.dumps(data).encode())).decode()}


def _from_json(data: dict[str, Any]) -> AppliedFault:
    if isinstance(data.get("hidden"), str):
        data = read_json(zlib.decompress(base64.b64decode(data["hidden"])))
    fields = {key: name for name, key in _JSON_KEYS.items()}
    item = AppliedFault(**{fields.get(key, key): value for key, value in data.items()})
    texts = (item.name, item.machine, item.script_machine, item.method, item.undo)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a field of a fault has the wrong type")
    return replace(item, since=float(item.since), repaired=float(item.repaired), hidden=bool(item.hidden))
