"""BGP sessions of `birdc show protocols all`: what birdc.py reads, with the import filter's counters beside it.

Counters: proto/bgp and nest/proto.c, channel_show_stats. Standard library only: this file also runs on the machines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from labctl.facts.birdc import ProtocolStatus, Session, parse_protocols

_UPDATES = re.compile(r"\s+Import updates:\s+(\d{1,18}|---)\s+\S+\s+(\d{1,18}|---)\s", re.ASCII)
_RESTRICTED = "Access restricted"  # what `birdc -r` says first


@dataclass(frozen=True, slots=True)
class BgpSession:
    """One `protocol bgp`. running: up, start, stop or down. state: BGP's own (Idle, Connect, Active, OpenSent, …
    Established, Down).

    AS numbers are 0 where BIRD does not say. imported: routes in its table now. received, filtered: updates that
    came, and those that the import filter refused. exported: routes told to the peer now.
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

    @property
    def established(self) -> bool:
        """Whether the session stands."""
        return self.state == "Established"

    @property
    def disabled(self) -> bool:
        """Whether somebody switched it off (`birdc disable`): it is down, and not for an error."""
        return self.running == "down" and not self.last_error

    @property
    def words(self) -> str:
        """State and last error, as `show protocols` puts them."""
        if self.disabled:
            return "down (disabled)"
        return "  ".join(word for word in (self.state, "" if self.established else self.last_error) if word)


def parse_sessions(text: str) -> tuple[BgpSession, ...]:
    """All BGP sessions; other protocols are left out. Raises BirdcError (a ValueError) on text that is not birdc's."""
    clean = "\n".join(line for line in text.splitlines() if line.strip() != _RESTRICTED)
    counts = _import_counts(clean)
    return tuple(_session(item, counts.get(item.name, (0, 0))) for item in parse_protocols(clean) if item.kind == "BGP")


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
