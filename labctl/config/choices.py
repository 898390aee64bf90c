"""What ``up`` was told on the command line or found out itself.

It holds until the lab is destroyed, so that every later command means the same lab.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from labctl.config.loader import Overrides
from labctl.host.files import write_atomically
from labctl.json_text import read_json


def read_choices(path: Path) -> Overrides:
    """The choices kept in path; none where there is no such file, or it cannot be read as one."""
    try:
        kept = read_json(path.read_text())
        return Overrides(
            provider=_text(kept.get("provider")),
            source=_text(kept.get("source")),
            workers=_number(kept.get("workers")),
            subnet=_text(kept.get("subnet")),
            offline=True if kept.get("offline") is True else None,
            cache=_text(kept.get("cache")),
        )
    except (OSError, ValueError, AttributeError):
        return Overrides()


def write_choices(path: Path, choices: Overrides) -> None:
    """Keep choices in path."""
    write_atomically(path, (json.dumps(asdict(choices)) + "\n").encode())


def merge(first: Overrides, second: Overrides) -> Overrides:
    """Both, the first one's values going before the second one's."""
    return Overrides(
        provider=first.provider or second.provider,
        source=first.source or second.source,
        workers=first.workers if first.workers is not None else second.workers,
        subnet=first.subnet or second.subnet,
        offline=first.offline if first.offline is not None else second.offline,
        cache=first.cache or second.cache,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
