"""How this host reaches the internet: its proxies and its name servers."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

from labctl.host.host import Host
from labctl.model.lab import Internet, Lab

# The second one has the servers themselves where systemd-resolved answers on loopback (resolved.conf(5)).
_RESOLVERS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
_PROXIES = ("http_proxy", "https_proxy")


def host_internet(lab: Lab, host: Host) -> Internet:
    """What the lab's machines are told: the environment's proxies and, for machines that have none, name servers."""
    servers = _name_servers(host) if lab.provider.traits.makes_bridge else ()
    if lab.mirrors.offline:  # nothing but the cache, which may have a name
        named = _address(urlsplit(lab.mirrors.cache).hostname or "") is None
        return Internet((), servers if named else ())
    return Internet(_proxies(lab, host.environment), servers)


def proxies_on_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that name a proxy on this host's loopback, which no machine reaches: its host and port alone."""
    found = {}
    for name, value in _named(environment).items():
        parts = urlsplit(value if "//" in value else f"//{value}")
        address = _address(parts.hostname or "")
        if parts.hostname in {"localhost", "::1"} or (address and address.is_loopback):
            found[name] = parts.netloc.rpartition("@")[2]
    return found


def _named(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment.get(name) or environment.get(name.upper(), "") for name in _PROXIES}


def _proxies(lab: Lab, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = _named(environment)
    if not any(found.values()):
        return ()
    network = lab.network
    own = [str(item) for item in (network.subnet, network.pod_cidr, network.service_cidr)]
    # curl and Go read networks there; apt only names, so each machine is named, and the host, which may serve a cache.
    own += [str(network.gateway), *(str(machine.address) for machine in lab.machines), "localhost", "127.0.0.1", ".svc"]
    given = (environment.get("no_proxy") or environment.get("NO_PROXY", "")).split(",")
    found["no_proxy"] = ",".join(dict.fromkeys([*(word.strip() for word in given if word.strip()), *own]))
    return tuple((name, value) for name, value in found.items() if value)


def _name_servers(host: Host) -> tuple[IPv4Address, ...]:
    """The first file's servers that a machine can reach: none of them on loopback."""
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
