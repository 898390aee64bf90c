"""Figures and settings of a machine: file systems, memory, kernel settings, processes, names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.facts.fact import Fact, TextFact

if TYPE_CHECKING:
    from labctl.model.lab import Lab, Machine


_SYSCTL_ROOT = "/proc/sys/"
_SYSCTLS = (
    "ipv4/ip_forward",
    *(f"ipv4/conf/*/{name}" for name in ("rp_filter", "forwarding", "proxy_arp", "arp_ignore")),
    "ipv4/ip_default_ttl",
    *(f"netfilter/nf_conntrack_{name}" for name in ("count", "max")),
)
_SYSCTL_FILES = "/usr/lib/sysctl.d/*.conf /run/sysctl.d/*.conf /etc/sysctl.d/*.conf"
_FILE_SETTINGS = r"^\s*-?net[./]ipv4[./](ip_forward|conf[./]all[./](rp_filter|forwarding))\s*="
# The kernel's own file systems, and those of single containers: they come and go.
_PASSING = ("/run/containerd/", "/var/lib/kubelet/pods/", "/run/credentials/", "/proc", "/sys", "/dev", "/snap/")


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


class Filesystems(Fact[tuple[Filesystem, ...]]):
    """The file systems that last, in KiB."""

    name = "disk"
    command = "df -Pk -x iso9660 -x squashfs -x vboxsf"

    def parse(self, output: str) -> tuple[Filesystem, ...]:
        """Each mount point once; other lines are left out."""
        found: dict[str, Filesystem] = {}
        for line in output.splitlines():
            words = line.split(maxsplit=5)
            if len(words) == 6 and words[1].isdecimal() and words[3].isdecimal():
                found.setdefault(words[5], Filesystem(words[0], words[5], int(words[1]), int(words[3])))
        return tuple(item for item in found.values() if not item.mount.startswith(_PASSING))


class Inodes(Filesystems):
    """The same file systems, counted in inodes."""

    name = "inodes"
    command = "df -Pi -x iso9660 -x squashfs -x vboxsf"


class ReadOnlyMounts(Fact[tuple[str, ...]]):
    """The mount points that may only be read and that last."""

    name = "read-only"
    command = r"grep -E '^\S+ /\S* \S+ ro[, ]' /proc/mounts || true"
    may_fail = True

    def parse(self, output: str) -> tuple[str, ...]:
        """The second field of each line (proc(5))."""
        mounts = [words[1] for line in output.splitlines() if len(words := line.split()) > 1]
        return tuple(mount for mount in mounts if not mount.startswith(_PASSING))


class Memory(Fact[Mapping[str, int]]):
    """/proc/meminfo (proc(5)): name to KiB."""

    name = "memory"
    command = "cat /proc/meminfo"

    def parse(self, output: str) -> Mapping[str, int]:
        """Lines without a number are left out."""
        values = {}
        for line in output.splitlines():
            name, _, rest = line.partition(":")
            words = rest.split()
            if words and words[0].isdecimal():
                values[name.strip()] = int(words[0])
        return values


class Sysctls(Fact[Mapping[str, str]]):
    """The kernel settings for packets, by dotted name, for example net.ipv4.ip_forward.

    A dot inside an interface's name becomes a slash, as sysctl(8) writes it.
    """

    name = "sysctls"
    command = f"grep -s . {' '.join(f'/proc/sys/net/{name}' for name in _SYSCTLS)}"

    def parse(self, output: str) -> Mapping[str, str]:
        """From lines of `file:value`."""
        values: dict[str, str] = {}
        for line in output.splitlines():
            path, separator, value = line.partition(":")
            if separator and path.startswith(_SYSCTL_ROOT):
                name = path[len(_SYSCTL_ROOT) :].translate(str.maketrans("/.", "./"))
                values.setdefault(name, value.strip())
        return values


class SysctlFiles(TextFact):
    """The lines of sysctl.d(5) files that set what matters to the lab, each after its file's name and a colon."""

    name = "sysctl-files"
    command = f"grep -sHE {shlex.quote(_FILE_SETTINGS)} {_SYSCTL_FILES} || true"
    may_fail = True


@dataclass(frozen=True, slots=True)
class Process:
    """A process. name: of its program. command: with its arguments."""

    pid: str
    name: str
    command: str


class StoppedProcesses(Fact[tuple[Process, ...]]):
    """Processes in state T (ps(1): stopped by a job control signal), except those with a terminal.

    A process with a terminal was stopped by its user, with Ctrl-Z.
    """

    name = "processes"
    command = r"ps -eo stat=,tty=,pid=,comm=,args= | sed -nE 's/^(T\S* +)\? +/\1/p'"

    def parse(self, output: str) -> tuple[Process, ...]:
        """From lines of STAT PID COMM ARGS."""
        rows = [line.split(maxsplit=3) for line in output.splitlines()]
        return tuple(
            Process(row[1], row[2], row[3] if len(row) > 3 else row[2])
            for row in rows
            if len(row) >= 3 and row[0].startswith("T")
        )


class HostName(Fact[str]):
    """The machine's own name."""

    name = "hostname"
    command = "uname -n"

    def parse(self, output: str) -> str:
        """The name, as it is set."""
        return output.strip()


class HostNames(Fact[Mapping[str, str]]):
    """The address to which each machine's name leads; a name that is unknown is left out."""

    name = "names"

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """getent(1) prints nothing for a name without an answer."""
        return f"getent ahostsv4 {' '.join(machine.name for machine in lab.machines)} || true"

    def parse(self, output: str) -> Mapping[str, str]:
        """getent(1) prints one line of type STREAM per address, with the name."""
        found: dict[str, str] = {}
        for line in output.splitlines():
            words = line.split()
            if len(words) == 3 and words[1] == "STREAM":
                found.setdefault(words[2], words[0])
        return found


_PROGRAM = re.compile(r'\(\("([^"]+)"')


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket. address: `*` or 0.0.0.0 for all, `::` for all of IPv6 alone. program: empty where ss may
    not know it (not root).
    """

    address: str
    port: int
    program: str

    @property
    def closed_to_others(self) -> bool:
        """Whether other machines can't connect over IPv4, which the lab speaks."""
        return self.address.startswith("127.") or ":" in self.address


class Listeners(Fact[tuple[Listener, ...]]):
    """The listening TCP sockets."""

    name = "listeners"
    command = "ss -ltnpH"

    def parse(self, output: str) -> tuple[Listener, ...]:
        """The sockets; lines that are not one are left out."""
        found = []
        for line in output.splitlines():
            words = line.split()
            if len(words) < 5 or words[0] != "LISTEN":
                continue
            address, _, port = words[3].rpartition(":")
            if not (port.isascii() and port.isdigit()):
                continue
            program = _PROGRAM.search(line)
            found.append(Listener(address.partition("%")[0].strip("[]"), int(port), program[1] if program else ""))
        return tuple(found)
