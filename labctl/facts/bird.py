"""What BIRD on a machine reports: its BGP sessions and routes, and settings in its configuration file.

The import filter's counters: proto/bgp and nest/proto.c, channel_show_stats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from labctl.facts.birdc import ProtocolStatus, Route, Session, parse_protocols, parse_routes
from labctl.facts.fact import ANSWER_SECONDS, Fact, TextFact
from labctl.model.lab import Lab, Machine, Role, Source

BIRD_CONFIG = "/etc/bird/bird.conf"
# Through the container runtime, which takes longer.
_IN_CONTAINER_SECONDS = 4.0

_UPDATES = re.compile(r"\s+Import updates:\s+(\d{1,18}|---)\s+\S+\s+(\d{1,18}|---)\s", re.ASCII)
_RESTRICTED = "Access restricted"  # what `birdc -r` says first


@dataclass(frozen=True, slots=True)
class BgpSession:
    """One `protocol bgp`. running: up, start, stop or down. state: BGP's own (Idle, Connect, Active, OpenSent, …
    Established, Down).

    AS numbers are 0 where BIRD does not say. imported: routes in its table now. received, filtered: updates that came,
    and those that the import filter refused. exported: routes announced to the peer now. next_try: seconds until BIRD
    tries again.
    """

    name: str
    running: str
    since: str
    state: str
    peer: IPv4Address | None
    peer_as: int
    local_as: int
    last_error: str
    imported: int
    received: int
    filtered: int
    exported: int = 0
    next_try: float | None = None

    @property
    def established(self) -> bool:
        """Whether the session is established."""
        return self.state == "Established"

    @property
    def disabled(self) -> bool:
        """Whether it was switched off with `birdc disable`: it is down, but not because of an error."""
        return self.running == "down" and not self.last_error

    @property
    def words(self) -> str:
        """State and last error, as `show protocols` puts them."""
        if self.disabled:
            return "down (disabled)"
        return "  ".join(word for word in (self.state, "" if self.established else self.last_error) if word)


@dataclass(frozen=True, slots=True)
class Protocols:
    """BIRD's protocols. kinds: Device, Kernel, BGP …, each once."""

    sessions: tuple[BgpSession, ...]
    kinds: frozenset[str]

    def with_peer(self, peer: IPv4Address) -> BgpSession | None:
        """The session with that peer; None if none is configured."""
        return next((session for session in self.sessions if session.peer == peer), None)


def birdc(machine: Machine, source: Source, words: str) -> str:
    """The command that asks BIRD on that machine; without words, BIRD's own prompt.

    Real Calico runs BIRD 1.6 in the container calico-node.
    """
    if _in_container(machine, source):
        options = "" if words else "-i "
        client = f"birdcl -s /var/run/calico/bird.ctl {words}".rstrip()
        return f"crictl exec {options}$(crictl ps -q --name '^calico-node$') {client}"
    return f"birdc {words}".rstrip()


def _in_container(machine: Machine, source: Source) -> bool:
    return machine.is_node and source is Source.UPSTREAM


class BirdProtocols(Fact[Protocols]):
    """BIRD's protocols, the BGP sessions among them."""

    name = "protocols"

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """`birdc show protocols all`."""
        return birdc(machine, lab.source, "show protocols all")

    def deadline_on(self, lab: Lab, machine: Machine) -> float:
        """BIRD answers at once, or it hangs."""
        return _IN_CONTAINER_SECONDS if _in_container(machine, lab.source) else ANSWER_SECONDS

    def parse(self, output: str) -> Protocols:
        """As birdc prints them."""
        clean = "\n".join(line for line in output.splitlines() if line.strip() != _RESTRICTED)
        counts = _import_counts(clean)
        found = parse_protocols(clean)
        sessions = tuple(_session(item, counts.get(item.name, (0, 0))) for item in found if item.kind == "BGP")
        return Protocols(sessions, frozenset(item.kind for item in found))


class BirdRoutes(Fact[tuple[Route, ...]]):
    """BIRD's table, on a machine outside the cluster."""

    name = "bird-routes"
    roles = (Role.INGRESS, Role.ROUTER)
    command = "birdc show route"
    deadline = ANSWER_SECONDS

    def parse(self, output: str) -> tuple[Route, ...]:
        """As birdc prints them."""
        return parse_routes(output)


class _BirdFile(TextFact):
    def asked_on(self, lab: Lab, machine: Machine) -> bool:
        """Where BIRD reads /etc/bird/bird.conf."""
        return not _in_container(machine, lab.source)


class BirdOptions(_BirdFile):
    """Lines of bird.conf, with their numbers, that can keep a session down but do not show in `birdc show protocols`.

    Passwords are not read.
    """

    name = "bird-options"
    command = (
        "grep -nE '^ *(protocol bgp|password|passive|ttl security|source address|router id|bfd|neighbor|local)"
        "|(import|receive) limit'"
        f" {BIRD_CONFIG} | sed 's/password.*/password .../'"
    )


class BirdSyntax(_BirdFile):
    """Whether BIRD could start with its file, by the status of the command."""

    name = "bird-syntax"
    command = f"bird -p -c {BIRD_CONFIG}"
    may_fail = True


def _session(item: ProtocolStatus, counts: tuple[int, int]) -> BgpSession:
    details = item.session or Session(state=item.info.split(" ")[0])
    return BgpSession(
        name=item.name,
        running=item.state,
        since=item.since,
        state=details.state,
        peer=details.neighbor,
        peer_as=details.neighbor_as or 0,
        local_as=details.local_as or 0,
        last_error=details.last_error,
        imported=details.imported or 0,
        received=counts[0],
        filtered=counts[1],
        exported=details.exported or 0,
        next_try=details.next_try,
    )


def _import_counts(text: str) -> dict[str, tuple[int, int]]:
    """Updates received and filtered, by protocol name."""
    counts: dict[str, tuple[int, int]] = {}
    name = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            name = line.split()[0]
        found = _UPDATES.match(line)
        if found and name:
            counts.setdefault(name, (_number(found[1]), _number(found[2])))
    return counts


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
