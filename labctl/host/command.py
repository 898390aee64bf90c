"""What a command printed and how it ended, on this host or on a machine; and the versions that programs print."""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of one command, as in testinfra.

    status: exit status (0-255). seconds: how long it took.
    """

    command: str
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command ended with status 0."""
        return self.status == 0

    def last_lines(self, count: int = 8) -> str:
        """The end of what the command reported: of its standard error, or of its output if that is empty."""
        return "\n".join((self.stderr.strip() or self.stdout.strip()).splitlines()[-count:])


def version_in(text: str | None) -> Version | None:
    """The first version (``7.1.6r167084``, ``Vagrant 2.3.4``) in a text; None if there is none."""
    found = re.search(r"(?<![\d.])(\d+)\.(\d+)(?:\.(\d+))?", text or "")
    return tuple(int(part) for part in found.groups() if part is not None) if found else None


def version_text(version: Version) -> str:
    """A version as people write it: ``7.1.6``."""
    return ".".join(map(str, version))
