"""BGP sessions in `birdc show protocols all` (BIRD 2; proto/bgp/bgp.c, bgp_show_proto_info): peer, AS numbers, last error, routes.

Standard library only: this file also runs on the machines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

_HEADER = re.compile(r"^(\S+)\s+BGP\s+\S+\s+(up|start|stop|down)\s+(\S+(?: \d\d:\d\d:\d\d\S*)?)\s*(.*)$")
_OTHER_HEADER = re.compile(r"^\S+\s+\S+\s+\S+\s+(?:up|start|stop|down)\s")
_UPDATES = re.compile(r"Import updates:\s+(\d+|---)\s+(\d+|---)\s+(\d+|---)\s+(\d+|---)\s+(\d+|---)")


@dataclass(frozen=True, slots=True)
class BgpSession:
    """One `protocol bgp`. running: up, start, stop or down. state: BGP's own (Idle, Connect, Active, OpenSent, OpenConfirm, Established, Down).

    received, filtered: route updates that came, and those that the import filter refused. imported: routes in BIRD's table now.
    """

    name: str
    running: str
    since: str
    info: str
    state: str
    peer: IPv4Address | None
    peer_as: int
    local_as: int
    last_error: str
    input_filter: str
    imported: int
    received: int
    filtered: int

    @property
    def established(self) -> bool:
        """Whether the session stands."""
        return self.state == "Established"

    @property
    def words(self) -> str:
        """State and last error, as `show protocols` puts them."""
        if self.running == "down" and not self.last_error:
            return "down (disabled)" if self.state == "Down" else "down"
        return "  ".join(word for word in (self.state, "" if self.established else self.last_error) if word)


def parse_sessions(text: str) -> tuple[BgpSession, ...]:
    """All BGP sessions; other protocols are left out."""
    sessions = []
    header: re.Match[str] | None = None
    details: list[str] = []
    for line in text.splitlines():
        found = _HEADER.match(line)
        if found or _OTHER_HEADER.match(line):
            if header:
                sessions.append(_session(header, details))
            header, details = found, []
        elif header:
            details.append(line.strip())
    if header:
        sessions.append(_session(header, details))
    return tuple(sessions)


def _session(header: re.Match[str], details: list[str]) -> BgpSession:
    values: dict[str, str] = {}
    for line in details:
        key, separator, value = line.partition(":")
        if separator:
            values.setdefault(key.strip(), value.strip())
    updates = next((found for line in details if (found := _UPDATES.search(line))), None)
    info = header[4].strip()
    return BgpSession(
        name=header[1],
        running=header[2],
        since=header[3],
        info=info,
        state=values.get("BGP state", info.split(" ")[0]),
        peer=_address(values.get("Neighbor address", "")),
        peer_as=_number(values.get("Neighbor AS", "")),
        local_as=_number(values.get("Local AS", "")),
        last_error=values.get("Last error", ""),
        input_filter=values.get("Input filter", ""),
        imported=_number(values.get("Routes", "").split(" ")[0]),
        received=_number(updates[1]) if updates else 0,
        filtered=_number(updates[3]) if updates else 0,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text.partition("%")[0])
    except ValueError:
        return None
