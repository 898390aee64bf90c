"""How this host reaches other networks: its routes, its proxies and its name servers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any
from urllib.parse import urlsplit

from labctl.host.host import Host
from labctl.model.lab import Internet, Lab
from labctl.text import read_json

_DEADLINE, _DEADLINE_OF_POWERSHELL = 5.0, 20.0
# Route types that do not lead to a network (ip-route(8), "Route types").
_NO_NETWORK = {"local", "broadcast", "multicast", "anycast", "unreachable", "prohibit", "blackhole", "throw", "nat"}
_LINUX = ("ip", "-json", "-4", "route", "show", "table", "all")
_MACOS = ("netstat", "-rn", "-f", "inet")
_WINDOWS = (
    "powershell",
    "-NoProfile",
    "-Command",
    "Get-NetRoute -AddressFamily IPv4 | Select-Object DestinationPrefix, InterfaceAlias | ConvertTo-Json",
)
_LOOPBACKS = ("lo", "lo0", "Loopback Pseudo-Interface 1")


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A network that the host routes, and the outgoing interface ("" if the route has none)."""

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


def host_routes(host: Host) -> list[HostRoute]:
    """The networks that this host routes, from all of its route tables.

    Without default routes and the host's own addresses. Empty if the program that lists routes is not installed.
    """
    if host.is_macos:
        found = _of_netstat(host.ask(_MACOS, _DEADLINE) or "")
    elif host.is_windows:
        found = _of_json(host.ask(_WINDOWS, _DEADLINE_OF_POWERSHELL), "DestinationPrefix", "InterfaceAlias")
    else:
        found = _of_json(host.ask(_LINUX, _DEADLINE), "dst", "dev")
    return [route for route in (_route(words, interface) for words, interface in found) if route is not None]


def find_overlaps(lab: Lab, routes: list[HostRoute]) -> list[Overlap]:
    """Where the lab's networks overlap the host's, without the lab's own routes."""
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


def _of_json(printed: str | None, network: str, interface: str) -> Iterator[tuple[str, str]]:
    """Of ``ip -json route`` or PowerShell's ConvertTo-Json, which writes one row without brackets."""
    try:
        read: Any = read_json(printed or "[]")
    except ValueError:
        return
    for row in read if isinstance(read, list) else [read]:
        if isinstance(row, dict) and row.get("type") not in _NO_NETWORK:
            yield str(row.get(network)), str(row.get(interface, ""))


def _of_netstat(printed: str) -> Iterator[tuple[str, str]]:
    """Of macOS's netstat(1): destination, gateway, flags, interface. A neighbour (flags H and L) is no network."""
    for line in printed.splitlines():
        fields = line.split()
        if len(fields) >= 4 and not {"H", "L"} <= set(fields[2]):
            yield _spelled_out(fields[0]), fields[3]


def _spelled_out(destination: str) -> str:
    """macOS leaves out a network's last zeros, and a prefix that follows from how many numbers are left."""
    address, _, prefix = destination.partition("/")
    if not re.fullmatch(r"\d+(\.\d+){0,3}", address):
        return destination  # "default"
    numbers = address.split(".")
    return ".".join([*numbers, *["0"] * (4 - len(numbers))]) + f"/{prefix or 8 * len(numbers)}"


def _route(destination: str, interface: str) -> HostRoute | None:
    if interface in _LOOPBACKS:
        return None
    try:
        network = IPv4Network(destination, strict=False)
    except ValueError:
        return None  # "default"
    if network.prefixlen <= 1:
        return None  # 0.0.0.0/1 and 128.0.0.0/1 together are a VPN's default route
    return HostRoute(network, interface)


def _is_own(lab: Lab, route: HostRoute) -> bool:
    """Whether the route belongs to the lab's own interface. Windows also has one for each address of the host."""
    if route.interface == lab.bridge:
        return True
    return route.interface.startswith(lab.provider.traits.interfaces) and route.network.subnet_of(lab.network.subnet)


# The second one lists the real servers if systemd-resolved answers on loopback (resolved.conf(5)).
_RESOLVERS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
_PROXIES = ("http_proxy", "https_proxy")


def host_internet(lab: Lab, host: Host) -> Internet:
    """The proxies for the lab's machines, from the environment, and the name servers for machines that have none."""
    servers = _name_servers(host) if lab.provider.traits.makes_bridge else ()
    if lab.mirrors.offline:  # only the cache is used; its URL may contain a host name
        has_name = _address(urlsplit(lab.mirrors.cache).hostname or "") is None
        return Internet((), servers if has_name else ())
    return Internet(_proxies(lab, host.environment), servers)


def proxies_on_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Environment variables with a proxy on this host's loopback, which no machine can reach; each with host:port."""
    found = {}
    for name, value in _proxy_variables(environment).items():
        parts = urlsplit(value if "//" in value else f"//{value}")
        address = _address(parts.hostname or "")
        if parts.hostname in {"localhost", "::1"} or (address and address.is_loopback):
            found[name] = parts.netloc.rpartition("@")[2]
    return found


def _proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment.get(name) or environment.get(name.upper(), "") for name in _PROXIES}


def _proxies(lab: Lab, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = _proxy_variables(environment)
    if not any(found.values()):
        return ()
    network = lab.network
    own = [str(item) for item in (network.subnet, network.pod_cidr, network.service_cidr)]
    # curl and Go accept networks in no_proxy, apt does not: list each machine, and the host, which may serve a cache.
    own += [str(network.gateway), *(str(machine.address) for machine in lab.machines), "localhost", "127.0.0.1", ".svc"]
    given = (environment.get("no_proxy") or environment.get("NO_PROXY", "")).split(",")
    found["no_proxy"] = ",".join(dict.fromkeys([*(word.strip() for word in given if word.strip()), *own]))
    return tuple((name, value) for name, value in found.items() if value)


def _name_servers(host: Host) -> tuple[IPv4Address, ...]:
    """The name servers of the first file that lists any which machines can reach, that is, not on loopback."""
    for file in _RESOLVERS:
        lines = [line.split() for line in host.read(file).splitlines()]
        words = [line[1] for line in lines if len(line) > 1 and line[0] == "nameserver"]
        servers = [address for address in map(_address, words) if address and not address.is_loopback]
        if servers:
            return tuple(servers)
    return ()


def _address(word: str) -> IPv4Address | None:
    try:
        return IPv4Address(word)
    except AddressValueError:
        return None
