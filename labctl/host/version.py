"""Versions as programs print them, made comparable."""

from __future__ import annotations

import re

Version = tuple[int, ...]


def version_in(text: str | None) -> Version | None:
    """The first version (``7.1.6r167084``, ``Vagrant 2.3.4``) in a text; None if there is none."""
    found = re.search(r"(?<![\d.])(\d+)\.(\d+)(?:\.(\d+))?", text or "")
    return tuple(int(part) for part in found.groups() if part is not None) if found else None


def written(version: Version) -> str:
    """A version as it is written."""
    return ".".join(map(str, version))
