"""Figures of a machine: `df -Pk`, /proc/meminfo, and values under /proc/sys as `grep` prints them.

Standard library only: this file also runs on the machines.
"""

from __future__ import annotations

from dataclasses import dataclass

_SYSCTL_ROOT = "/proc/sys/"


@dataclass(frozen=True, slots=True)
class Filesystem:
    """One mounted file system. size, free: KiB (`df -Pk`) or inodes (`df -Pi`). free: for an ordinary user."""

    device: str
    mount: str
    size: int
    free: int

    @property
    def used_percent(self) -> float:
        """How full it is, 0-100."""
        return 100.0 * (self.size - self.free) / self.size if self.size else 0.0


def parse_df(text: str) -> tuple[Filesystem, ...]:
    """The file systems of `df -Pk` or `df -Pi`, each mount point once; other lines are left out."""
    found: dict[str, Filesystem] = {}
    for line in text.splitlines():
        words = line.split(maxsplit=5)
        if len(words) == 6 and words[1].isdecimal() and words[3].isdecimal():
            found.setdefault(words[5], Filesystem(words[0], words[5], int(words[1]), int(words[3])))
    return tuple(found.values())


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo: name to KiB (proc(5))."""
    values = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdecimal():
            values[name.strip()] = int(words[0])
    return values


def parse_sysctls(text: str) -> dict[str, str]:
    """`grep -s . /proc/sys/…` (file:value) to dotted names, for example net.ipv4.ip_forward.

    A dot inside an interface's name becomes a slash, as sysctl(8) writes it.
    """
    values: dict[str, str] = {}
    for line in text.splitlines():
        path, separator, value = line.partition(":")
        if separator and path.startswith(_SYSCTL_ROOT):
            name = path[len(_SYSCTL_ROOT) :].translate(str.maketrans("/.", "./"))
            values.setdefault(name, value.strip())
    return values
