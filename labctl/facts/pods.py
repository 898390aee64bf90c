"""Pods' networks: whether each pod answers an ingress machine, what it looks like inside, and CNI on its node."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from labctl.facts.fact import Fact, ParseError, TextFact, curl
from labctl.facts.ip import Addresses, KernelRoute, Nic, Routes
from labctl.facts.nftables import DropRule, parse_drop_rules
from labctl.model.lab import NODE_ROLES, Lab, Machine

GATEWAY = IPv4Address("169.254.1.1")
"""Every pod's gateway: no machine has it, the node's end of the pod's cable answers for it (Calico: proxy ARP)."""
MOST_NAMESPACES = 30


class Ping(TextFact):
    """Whether an address answers a small ping, by the command's status."""

    may_fail = True

    def __init__(self, address: IPv4Address) -> None:
        self.name = f"ping {address}"
        self.command = f"ping -n -c 1 -W 1 {address}"


class FullPing(TextFact):
    """The same with a packet of full size. mtu: bytes."""

    may_fail = True

    def __init__(self, address: IPv4Address, mtu: int = 0) -> None:
        self.name = f"ping-full {address}"
        self.command = f"ping -n -c 1 -W 1 -M probe -s {mtu - 28} {address}"


class FirstHop(TextFact):
    """Which router reports that a packet with a TTL of one ended there.

    A router may limit such reports: Linux sends one machine six at once, then one per second
    (net.ipv4.icmp_ratelimit). So it is asked three times.
    """

    may_fail = True
    deadline = 6.0

    def __init__(self, address: IPv4Address) -> None:
        self.name = f"hop {address}"
        ping = f"answer=$(ping -n -c 1 -W 1 -t 1 {address}); status=$?"
        until_one = "case $answer in *exceeded*) break ;; esac; sleep 0.3"
        self.command = f'for attempt in 1 2 3; do {ping}; {until_one}; done; echo "$answer"; (exit $status)'


class PodHttp(TextFact):
    """The HTTP status of a server that is asked directly; curl's error if it fails."""

    may_fail = True

    def __init__(self, address: str, port: int) -> None:
        self.name = f"http {address}:{port}"
        self._url = f"http://{address}:{port}/"

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """curl prints the status alone."""
        return f"{shlex.join(curl(patience))} -o /dev/null -w '%{{http_code}}' {self._url}"


@dataclass(frozen=True, slots=True)
class Namespace:
    """A pod's network as it looks from within. name: of the namespace. ignores_ping: it was told to."""

    name: str
    nics: tuple[Nic, ...]
    routes: tuple[KernelRoute, ...]
    drop_rules: tuple[DropRule, ...]
    ignores_ping: bool


class PodNamespaces(Fact[tuple[Namespace, ...]]):
    """Each pod's network namespace on a node: its addresses, routes, firewall rules, and whether it ignores ping."""

    name = "pods-inside"
    command = (
        f"for path in $(ls -d /run/netns/cni-* 2>/dev/null | head -n {MOST_NAMESPACES}); do name=${{path##*/}};"
        ' echo "labctl-netns $name"; echo "$(ip -n "$name" -json addr)"; echo "$(ip -n "$name" -json route)";'
        ' ip netns exec "$name" cat /proc/sys/net/ipv4/icmp_echo_ignore_all; ip netns exec "$name" nft list ruleset;'
        " done"
    )

    def parse(self, output: str) -> tuple[Namespace, ...]:
        """One part per namespace."""
        found = []
        for part in output.split("labctl-netns ")[1:]:
            name, *lines = part.split("\n")
            if len(lines) < 3:
                raise ParseError(f"namespace {name} breaks off")
            addresses, routes, ignores_ping, *rules = lines
            nics = tuple(nic for nic in Addresses().parse(addresses) if nic.name != "lo")
            drops = parse_drop_rules("\n".join(rules))
            found.append(Namespace(name, nics, Routes().parse(routes), drops, ignores_ping.strip() == "1"))
        return tuple(found)


class CniFiles(Fact[Mapping[str, str]]):
    """The CNI configurations of a node: file name to content, in the order in which containerd looks at them."""

    name = "cni"
    roles = NODE_ROLES
    command = "grep -s . /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist"
    may_fail = True

    def parse(self, output: str) -> Mapping[str, str]:
        """From lines of `file:text`."""
        lines = [line.partition(":") for line in output.splitlines() if line.startswith("/")]
        files = sorted({file for file, _, _ in lines})
        return {file: "\n".join(text for name, _, text in lines if name == file) for file in files}


class CniPlugins(Fact[frozenset[str]]):
    """The CNI plugins that a node can run."""

    name = "cni-plugins"
    roles = NODE_ROLES
    command = "find -L /opt/cni/bin -maxdepth 1 -type f -perm -100 -printf '%f\\n'"

    def parse(self, output: str) -> frozenset[str]:
        """File names."""
        return frozenset(output.split())
