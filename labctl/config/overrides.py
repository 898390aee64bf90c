"""What takes precedence over labctl.yaml: options of commands, and what `labctl up` chose for this host.

Each overridable key is declared once, as a field of Overrides. Options of commands (labctl/cli/options.py), their
environment variables, the values in labctl.yaml's place and the file choices.json follow from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from labctl.config.keys import KeyPath
from labctl.host.files import write_atomically
from labctl.text import read_json

# labctl 0.1.0 did not save versions. This was its default.
_UNSAVED_KUBERNETES = "1.34"


def _key(dotted: str, kind: type, *, only_if_unset: bool = False) -> Any:
    """The key that a field overrides. only_if_unset: a value in labctl.yaml takes precedence."""
    metadata = {"path": tuple(dotted.split(".")), "kind": kind, "only_if_unset": only_if_unset}
    return field(default=None, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Values in place of labctl.yaml's; None: no override."""

    provider: str | None = _key("provider", str)
    source: str | None = _key("source", str)
    workers: int | None = _key("workers", int)
    subnet: str | None = _key("network.subnet", str, only_if_unset=True)
    snapshot: bool | None = _key("snapshot", bool)
    offline: bool | None = _key("sources.offline", bool)
    cache: str | None = _key("sources.cache", str, only_if_unset=True)
    seats: int | None = _key("classroom.seats", int)
    at_once: int | None = _key("classroom.at_once", int)
    kubernetes: str | None = _key("versions.kubernetes", str, only_if_unset=True)
    calico: str | None = _key("versions.calico", str, only_if_unset=True)
    controller: str | None = _key("versions.controller", str, only_if_unset=True)
    haproxy: str | None = _key("versions.haproxy", str, only_if_unset=True)

    def items(self) -> list[tuple[KeyPath, Any, bool]]:
        """The path, the value and ``only_if_unset`` of each key that is overridden."""
        values = [(item.metadata, getattr(self, item.name)) for item in fields(self)]
        return [(item["path"], value, item["only_if_unset"]) for item, value in values if value is not None]

    def or_else(self, other: Overrides) -> Overrides:
        """These overrides, completed by another's."""
        return Overrides(**(_values(other) | _values(self)))


def key_of(name: str) -> tuple[KeyPath, type]:
    """The path of the key that a field of Overrides is about, and the type of its value."""
    metadata = next(item.metadata for item in fields(Overrides) if item.name == name)
    return metadata["path"], metadata["kind"]


def read_choices(path: Path) -> Overrides:
    """The overrides saved in a file: what `up` was told or found out, which holds until the lab is destroyed.

    Empty if the file is missing or unreadable; a value of the wrong type is ignored.
    """
    try:
        saved = read_json(path.read_text())
    except (OSError, ValueError):
        return Overrides()
    if not isinstance(saved, dict):
        return Overrides()
    names = [item.name for item in fields(Overrides)]
    if saved.get("source") == "upstream":
        saved.setdefault("kubernetes", _UNSAVED_KUBERNETES)
    values: dict[str, Any] = {name: saved[name] for name in names if type(saved.get(name)) is key_of(name)[1]}
    return Overrides(**values)


def write_choices(path: Path, choices: Overrides) -> None:
    """Save overrides in a file. Raises OSError."""
    write_atomically(path, (json.dumps(_values(choices)) + "\n").encode())


def _values(overrides: Overrides) -> dict[str, Any]:
    values = {item.name: getattr(overrides, item.name) for item in fields(overrides)}
    return {name: value for name, value in values.items() if value is not None}
