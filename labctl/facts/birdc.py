"""What birdc show protocols and birdc show route print, as data. BIRD 2 (2.0 to 2.17: nest/proto.c, nest/rt-show.c).

Every function raises ParseError on text that is not such output, and nothing else. Standard library only: this file
also runs on the machines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from labctl.facts.fact import ParseError


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a BGP session beyond its protocol's line; None where birdc does not say it.

    state: of BGP, ``Established`` or how far it got. imported, exported: numbers of routes. next_try: seconds until
    BIRD tries again.
    """

    state: str
    neighbor: IPv4Address | None = None
    neighbor_as: int | None = None
    local_as: int | None = None
    imported: int | None = None
    exported: int | None = None
    last_error: str = ""
    next_try: float | None = None


@dataclass(frozen=True, slots=True)
class ProtocolStatus:
    """One protocol. table: ``---`` if it has none of its own. info: the rest of the line, blanks made single.

    session: of a BGP protocol, from ``show protocols all`` only.
    """

    name: str
    kind: str
    table: str
    state: str
    since: str
    info: str
    session: Session | None = None

    @property
    def established(self) -> bool:
        """Whether this is a BGP session that is up."""
        return self.kind == "BGP" and self.info.split(" ")[0] == "Established"


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where a route leads. gateway: None if the destination is on the interface's own network."""

    interface: str
    gateway: IPv4Address | None = None
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One route. kind: unicast, blackhole, unreachable or prohibit. best: the one that BIRD chose for the network."""

    network: IPv4Network
    kind: str
    protocol: str
    since: str
    best: bool
    preference: str
    next_hops: tuple[NextHop, ...] = ()


_BANNER = re.compile(r"BIRD \S+ ready\.")
_HEADER = ["name", "proto", "table", "state", "since", "info"]
_PROTOCOL = re.compile(
    r"(?P<name>\S+)\s+(?P<kind>\S+)\s+(?P<table>\S+)\s+(?P<state>up|down|start|stop|flush)\s+"
    r"(?P<since>\S+(?: \d\d:\d\d:\d\d(?:\.\d+)?)?)(?:\s+(?P<info>\S.*?))?\s*"
)
_DETAIL = re.compile(r"\s+(?P<key>[A-Z][A-Za-z ]*):\s+(?P<value>\S.*?)\s*")
_COUNTS = re.compile(r"(?P<imported>\d+) imported,(?: \d+ filtered,)? (?P<exported>\d+) exported\b.*", re.ASCII)
_TIMER = re.compile(r"\d{1,9}(\.\d+)?(?=/)", re.ASCII)
_TABLE = re.compile(r"Table \S+:")
_ROUTE = re.compile(
    r"(?P<network>\d\S*)?\s+(?P<kind>unicast|blackhole|unreachable|prohibit) "
    r"\[(?P<protocol>\S+) (?P<since>[^\]]*?)(?: from [^\]\s]+)?\]"
    r"(?P<best> \*)?(?: [^(]*)? ?\((?P<preference>[^)]*)\).*",
    re.ASCII,
)
_VIA = re.compile(
    r"\tvia (?P<gateway>\S+) on (?P<interface>\S+)(?: mpls \S+)?(?: onlink)?(?: weight (?P<weight>\d{1,9}))?\s*",
    re.ASCII,
)
_DEV = re.compile(r"\tdev (?P<interface>\S+)(?: onlink)?(?: weight (?P<weight>\d{1,9}))?\s*", re.ASCII)
_ATTRIBUTE = re.compile(r"\t[A-Za-z]\S*:? .*|\t\S+:\s*")


def parse_protocols(text: str) -> tuple[ProtocolStatus, ...]:
    """``birdc show protocols``, with or without ``all``, for all protocols or one. Raises ParseError."""
    lines = _body(text)
    if not lines:
        return ()
    if lines[0].lower().split() != _HEADER:
        raise ParseError(f"no table of protocols: {lines[0]!r}")
    found: list[ProtocolStatus] = []
    for line in lines[1:]:
        if line[0].isspace():
            if not found:
                raise ParseError(f"details of no protocol: {line!r}")
            found[-1] = _with_detail(found[-1], line)
        else:
            found.append(_protocol(line))
    return tuple(found)


def parse_routes(text: str) -> tuple[Route, ...]:
    """``birdc show route``, with or without ``all``, of one table or several. Raises ParseError."""
    found: list[Route] = []
    network: IPv4Network | None = None
    for line in _body(text):
        if line == "Network not found" or _TABLE.fullmatch(line):
            continue
        if line.startswith("\t"):
            if not found:
                raise ParseError(f"next hop of no route: {line!r}")
            found[-1] = _with_next_hop(found[-1], line)
            continue
        match = _ROUTE.fullmatch(line)
        if match is None:
            raise ParseError(f"no route: {line!r}")
        if match["network"]:
            network = _network(match["network"])
        if network is None:
            raise ParseError(f"route of no network: {line!r}")
        found.append(
            Route(
                network=network,
                kind=match["kind"],
                protocol=match["protocol"],
                since=match["since"],
                best=match["best"] is not None,
                preference=match["preference"],
            )
        )
    return tuple(found)


def _body(text: str) -> list[str]:
    """The lines after birdc's greeting, without empty ones."""
    lines = [line for line in text.split("\n") if line.strip()]
    return lines[1:] if lines and _BANNER.fullmatch(lines[0].strip()) else lines


def _protocol(line: str) -> ProtocolStatus:
    match = _PROTOCOL.fullmatch(line)
    if match is None:
        raise ParseError(f"no protocol: {line!r}")
    return ProtocolStatus(
        name=match["name"],
        kind=match["kind"],
        table=match["table"],
        state=match["state"],
        since=match["since"],
        info=" ".join((match["info"] or "").split()),
    )


def _with_detail(protocol: ProtocolStatus, line: str) -> ProtocolStatus:
    """The protocol with what one line of ``show protocols all`` adds; lines that say nothing needed add nothing."""
    match = _DETAIL.fullmatch(line)
    if match is None or protocol.kind != "BGP":
        return protocol
    key, value = match["key"], match["value"]
    session = protocol.session or Session(state="")
    if key == "BGP state":
        session = replace(session, state=value)
    elif key == "Neighbor address":
        session = replace(session, neighbor=_address(value.split("%")[0]))
    elif key == "Neighbor AS":
        session = replace(session, neighbor_as=_number(value))
    elif key == "Local AS":
        session = replace(session, local_as=_number(value))
    elif key == "Last error":
        session = replace(session, last_error=" ".join(value.split()))
    elif key in ("Error wait", "Connect delay") and (left := _TIMER.match(value)):
        session = replace(session, next_try=float(left[0]))
    elif key == "Routes" and (counts := _COUNTS.fullmatch(value)):
        imported, exported = _number(counts["imported"]), _number(counts["exported"])
        session = replace(session, imported=imported, exported=exported)
    else:
        return protocol
    return replace(protocol, session=session)


def _with_next_hop(route: Route, line: str) -> Route:
    for pattern in (_VIA, _DEV):
        match = pattern.fullmatch(line)
        if match is not None:
            parts = match.groupdict()
            hop = NextHop(
                interface=parts["interface"],
                gateway=_address(parts["gateway"]) if parts.get("gateway") else None,
                weight=_number(parts["weight"]) if parts["weight"] else None,
            )
            return replace(route, next_hops=(*route.next_hops, hop))
    if _ATTRIBUTE.fullmatch(line):
        return route
    raise ParseError(f"no next hop: {line!r}")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ParseError(f"no number: {text!r}")
    return int(text)


def _address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError as error:
        raise ParseError(str(error)) from error


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise ParseError(str(error)) from error
