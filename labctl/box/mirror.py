"""Where this host gets Debian packages from: its mirrors, its proxy, and the archive's keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import HostError
from labctl.host.host import Host

ARCHIVE = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Other kinds of mirrors (cdrom:, file:, mirror+file:) need files that do not exist in the new root file system.
SCHEMES = ("http://", "https://")

TARGETS_FORMAT = "$(ORIGIN)|$(LABEL)|$(CREATED_BY)|$(REPO_URI)"

# Options of the host's apt that also apply to the build.
_APT_OPTIONS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::http::Proxy-Auto-Detect",
    "Acquire::https::Proxy-Auto-Detect",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
    "Acquire::Retries",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)


@dataclass(frozen=True)
class Mirror:
    """Debian's archive as this host reaches it. options: for apt.conf."""

    archive: str = ARCHIVE
    security: str = SECURITY
    keyring: Path = KEYRING
    options: tuple[str, ...] = ()

    def lines(self, suite: str, kind: str = "deb") -> str:
        """The lines of a sources.list for a suite with its updates and security updates."""
        signed = f"[signed-by={self.keyring}]"
        places = ((self.archive, suite), (self.archive, f"{suite}-updates"), (self.security, f"{suite}-security"))
        return "".join(f"{kind} {signed} {uri} {name} main\n" for uri, name in places)

    def apt_conf(self) -> str:
        """The options as the text of an apt.conf."""
        return "".join(f"{option}\n" for option in self.options)


def pick(targets: Iterable[str], label: str, otherwise: str) -> str:
    """The first of Debian's own archives with that label in lines in TARGETS_FORMAT; otherwise the given one."""
    for line in targets:
        fields = line.strip().split("|")
        if len(fields) != 4:
            continue
        origin, target_label, created_by, uri = fields
        if (origin, target_label, created_by) == ("Debian", label, "Packages") and uri.startswith(SCHEMES):
            return uri.rstrip("/")
    return otherwise


def _lines(host: Host, *command: str) -> list[str]:
    """The lines that a program prints; none if it fails or is not installed."""
    return (host.ask(command, 60.0) or "").splitlines()


def host_mirror(host: Host) -> Mirror:
    """The mirror in this host's apt configuration; Debian's own if there is none.

    Raises HostError if the archive's keys are not installed, as labctl verifies all packages.
    """
    keyring = host.path(str(KEYRING))
    if not keyring.is_file():
        raise HostError(
            "the keys of Debian's archive are missing",
            where=str(keyring),
            why="labctl builds the box only from signed packages",
            next_step="apt-get install debian-archive-keyring",
        )
    targets = _lines(host, "apt-get", "indextargets", "--format", TARGETS_FORMAT)
    options = _lines(host, "apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', *_APT_OPTIONS)
    return Mirror(pick(targets, "Debian", ARCHIVE), pick(targets, "Debian-Security", SECURITY), keyring, tuple(options))


def host_arch(host: Host) -> str:
    """The host's Debian architecture. Raises HostError on a host without dpkg."""
    lines = _lines(host, "dpkg", "--print-architecture")
    if not lines:
        raise HostError(
            "this host does not run Debian or Ubuntu",
            why="dpkg --print-architecture prints nothing",
            next_step="labctl up --provider virtualbox",
        )
    return lines[0].strip()
