"""What a known error of a program of this host is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownError:
    """One known error. pattern: found in the output with every run of white space as one space, in any case."""

    id: str
    pattern: str
    meaning: str
    remedy: str
