"""How this host reaches the internet: its proxies and its name servers."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

from labctl.host.host import Host
from labctl.model.lab import Internet, Lab

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
