"""What `ip` and `tc` print (iproute2): a machine's interfaces, routes, neighbours, rules and queueing disciplines.

Keys as iproute2's own ip/ipaddress.c, ip/iproute.c, ip/ipneigh.c and ip/iprule.c write them.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from labctl.facts.fact import Fact, TextFact
from labctl.facts.json_output import read_as, read_objects


def is_pod_interface(name: str) -> bool:
    """Whether a node's interface is the node's end of a pod's link.

    Felix makes calico_tmp_A and calico_tmp_B for a moment when it starts (projectcalico/calico 3.32, felix).
    """
    return name.startswith("cali") and not name.startswith("calico_tmp")


@dataclass(frozen=True, slots=True)
class Nic:
    """One network interface.

    mtu: bytes. mac: lower case, empty where it has none. addresses: IPv4 only. arp: whether it speaks ARP.
    peer_index: the number of a cable's other end, 0 where it has none.
    """

    name: str
    up: bool
    carrier: bool
    mtu: int
    mac: str
    addresses: tuple[IPv4Interface, ...]
    arp: bool = True
    peer_index: int = 0


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where a route leads. gateway: None for a directly connected network."""

    gateway: IPv4Address | None
    device: str

    def __str__(self) -> str:
        via = f"via {self.gateway} " if self.gateway else ""
        return f"{via}dev {self.device}"


@dataclass(frozen=True, slots=True)
class KernelRoute:
    """One route of the kernel.

    kind: unicast, blackhole, unreachable, prohibit …; protocol: who wrote it (bird, kernel, static, boot).
    """

    destination: IPv4Network
    kind: str
    protocol: str
    metric: int
    next_hops: tuple[NextHop, ...]

    @property
    def gateways(self) -> tuple[IPv4Address, ...]:
        """The next hops' addresses."""
        return tuple(hop.gateway for hop in self.next_hops if hop.gateway)

    def __str__(self) -> str:
        kind = "" if self.kind == "unicast" else f"{self.kind} "
        hops = " ".join(str(hop) for hop in self.next_hops)
        metric = f" metric {self.metric}" if self.metric else ""
        return f"{kind}{self.destination} {hops} proto {self.protocol}{metric}".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One entry of the ARP table. mac: empty while nothing answered. state: REACHABLE, STALE, FAILED, INCOMPLETE …"""

    address: IPv4Address
    device: str
    mac: str
    state: str

    @property
    def answers(self) -> bool:
        """Whether something answered for this address, as far as the table knows."""
        return bool(self.mac) and self.state != "FAILED"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the routing policy. action: `lookup TABLE`, or a verdict such as blackhole or prohibit."""

    priority: int
    selector: str
    action: str


def _items(text: str) -> list[dict[str, Any]]:
    """The objects of the list; empty objects and empty output (both occur) are left out. Raises ParseError."""
    return [item for item in read_objects(text) if item]


class Addresses(Fact[tuple[Nic, ...]]):
    """The network interfaces and their addresses."""

    name = "addresses"
    command = "ip -json addr"

    def parse(self, output: str) -> tuple[Nic, ...]:
        """The interfaces, in the kernel's order."""
        return tuple(read_as(_nic, item) for item in _items(output) if "ifname" in item)


def _nic(item: dict[str, Any]) -> Nic:
    flags = item.get("flags", [])
    addresses = tuple(
        IPv4Interface(f"{entry['local']}/{entry.get('prefixlen', 32)}")
        for entry in item.get("addr_info", [])
        if entry.get("family") == "inet" and "local" in entry
    )
    name = str(item["ifname"])
    return Nic(
        name,
        "UP" in flags,
        "LOWER_UP" in flags,
        int(item.get("mtu", 0)),
        str(item.get("address", "")).lower(),
        addresses,
        "NOARP" not in flags,
        int(item.get("link_index") or 0),
    )


class Routes(Fact[tuple[KernelRoute, ...]]):
    """The kernel's main routing table, IPv4."""

    name = "routes"
    command = "ip -json route"

    def parse(self, output: str) -> tuple[KernelRoute, ...]:
        """The routes, in the kernel's order."""
        return tuple(read_as(_route, item) for item in _items(output) if "dst" in item and ":" not in str(item["dst"]))


class LocalRoutes(Routes):
    """Table `local`: the addresses that the kernel takes for its own."""

    name = "local-routes"
    command = "ip -json route show table local"


def _route(item: dict[str, Any]) -> KernelRoute:
    destination = str(item["dst"])
    network = IPv4Network("0.0.0.0/0") if destination == "default" else IPv4Network(destination, strict=False)
    hops = item.get("nexthops") or ([item] if "dev" in item or "gateway" in item else [])
    return KernelRoute(
        network,
        str(item.get("type", "unicast")),
        str(item.get("protocol", "boot")),
        int(item.get("metric", 0)),
        tuple(_next_hop(hop) for hop in hops),
    )


def _next_hop(item: dict[str, Any]) -> NextHop:
    gateway = item.get("gateway")
    return NextHop(IPv4Address(gateway) if gateway else None, str(item.get("dev", "")))


class Neighbours(Fact[tuple[Neighbour, ...]]):
    """The ARP table."""

    name = "neighbours"
    command = "ip -json neigh"

    def parse(self, output: str) -> tuple[Neighbour, ...]:
        """The entries for IPv4 addresses."""
        items = (item for item in _items(output) if "dst" in item and ":" not in str(item["dst"]))
        return tuple(read_as(_neighbour, item) for item in items)


def _neighbour(item: dict[str, Any]) -> Neighbour:
    return Neighbour(
        IPv4Address(item["dst"]),
        str(item.get("dev", "")),
        str(item.get("lladdr", "")).lower(),
        " ".join(item.get("state", [])),
    )


class Rules(Fact[tuple[Rule, ...]]):
    """The rules of the routing policy."""

    name = "rules"
    command = "ip -json rule"

    def parse(self, output: str) -> tuple[Rule, ...]:
        """The rules, by priority."""
        return tuple(read_as(_rule, item) for item in _items(output) if "priority" in item)


def _rule(item: dict[str, Any]) -> Rule:
    action = f"lookup {item['table']}" if "table" in item else str(item.get("action", ""))
    known = ("src", "srclen", "dst", "dstlen", "fwmark", "iif", "oif", "ipproto", "sport", "dport")
    selector = " ".join(f"{key} {item[key]}" for key in known if key in item)
    return Rule(int(item["priority"]), selector, action)


class QueueingDisciplines(TextFact):
    """How each interface queues packets: a line each."""

    name = "qdiscs"
    command = "tc qdisc show"
