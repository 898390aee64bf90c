"""Networks that this host already routes, against the networks of a lab."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from labctl.host.facts import AskProgram, ask_program
from labctl.model.lab import Lab, Provider
from labctl.parse.json_text import read_json

_DEADLINE = 5.0
# Route types that do not lead to a network of their own (ip-route(8), "Route types").
_NO_NETWORK = {"local", "broadcast", "multicast", "anycast", "unreachable", "prohibit", "blackhole", "throw", "nat"}
# A provider's own interfaces for the lab network; LXC's bridge carries the lab's name instead.
_PROVIDER_INTERFACES = {Provider.VIRTUALBOX: "vboxnet", Provider.LIBVIRT: "virbr"}


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A network that the host routes, and the interface it leaves by ("" where the route names none)."""

    network: IPv4Network
    interface: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """A key of labctl.yaml whose network overlaps one that the host routes."""

    key: str
    network: IPv4Network
    route: HostRoute

    def __str__(self) -> str:
        by = f" by {self.route.interface}" if self.route.interface else ""
        return f"{self.key} {self.network} overlaps {self.route.network}, which this host routes{by}"


def host_routes(ask: AskProgram = ask_program) -> list[HostRoute]:
    """The networks that this host routes, from all of its route tables (``ip -json route``, iproute2).

    Default routes are left out. Empty where there is no ``ip`` program.
    """
    printed = ask(["ip", "-json", "-4", "route", "show", "table", "all"], _DEADLINE)
    try:
        rows = read_json(printed or "[]")
    except ValueError:
        return []
    routes = [_route(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [route for route in routes if route is not None]


def _route(row: dict[str, Any]) -> HostRoute | None:
    if row.get("type") in _NO_NETWORK or row.get("dev") == "lo":
        return None
    try:
        network = IPv4Network(str(row.get("dst")), strict=False)
    except ValueError:
        return None  # "default"
    if network.prefixlen <= 1:
        return None  # 0.0.0.0/1 and 128.0.0.0/1 together are a VPN's default route
    return HostRoute(network, str(row.get("dev", "")))


def find_overlaps(lab: Lab, routes: list[HostRoute]) -> list[Overlap]:
    """Where the lab's networks overlap the host's; what the lab itself brought is left out."""
    network = lab.network
    mine = {
        "network.subnet": network.subnet,
        "network.pod_cidr": network.pod_cidr,
        "network.service_cidr": network.service_cidr,
    }
    return [
        Overlap(key, own, route)
        for key, own in mine.items()
        for route in routes
        if own.overlaps(route.network) and not _is_own(lab, route)
    ]


def _is_own(lab: Lab, route: HostRoute) -> bool:
    if route.interface == lab.bridge:
        return True
    prefix = _PROVIDER_INTERFACES.get(lab.provider)
    return prefix is not None and route.interface.startswith(prefix) and route.network == lab.network.subnet
