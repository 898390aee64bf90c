"""Checks of labctl.yaml by meaning: what no single key shows. Each check tells which keys it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

from labctl.config.addresses import FIRST_WORKER, GATEWAY, numbers, room_for_workers
from labctl.config.schema import Config, KeyPath
from labctl.model.provider import Provider

# IANA IPv4 Special-Purpose Address Registry (RFC 6890): networks without addresses for machines.
UNUSABLE = {
    IPv4Network("0.0.0.0/8"): "this network (0.0.0.0/8)",
    IPv4Network("127.0.0.0/8"): "loopback (127.0.0.0/8)",
    IPv4Network("169.254.0.0/16"): "link-local (169.254.0.0/16)",
    IPv4Network("224.0.0.0/4"): "multicast (224.0.0.0/4)",
    IPv4Network("240.0.0.0/4"): "reserved (240.0.0.0/4)",
}
SUBNET, PODS, SERVICES = ("network", "subnet"), ("network", "pod_cidr"), ("network", "service_cidr")
BLOCK_SIZE = ("network", "block_size")
COUNT, VIP = ("ingress", "count"), ("ingress", "vip")
# kube-apiserver takes no Service network above 2^20 addresses (cmd/kube-apiserver/app/options/validation.go,
# maxCIDRBits) and kubeadm none below 10 (cmd/kubeadm/app/constants/constants.go, MinimumAddressesInServiceSubnet).
SERVICE_PREFIXES = range(12, 29)
# kubeadm's preflight checks refuse a control plane with less (cmd/kubeadm/app/constants: ControlPlaneNumCPU, -Mem).
CONTROLPLANE_CPUS, CONTROLPLANE_MEMORY = 2, 1700


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. about: the keys that it follows from, the one to change first."""

    about: tuple[KeyPath, ...]
    found: str
    allowed: str


def findings(config: Config) -> list[Finding]:
    """Everything that is wrong by meaning, in the order of the checks."""
    checks = (
        *(_unusable, _overlaps, _subnet_room, _services_size, _blocks, _pod_addresses),
        *(_vip, _bgp, _encapsulation, _debian_versions, _kubeadm, _limits, _offline),
    )
    return [finding for check in checks for finding in check(config)]


def _networks(config: Config) -> dict[KeyPath, IPv4Network]:
    network = config.network
    return {SUBNET: network.subnet, PODS: network.pod_cidr, SERVICES: network.service_cidr}


def _unusable(config: Config) -> Iterator[Finding]:
    for path, network in _networks(config).items():
        for unusable, name in UNUSABLE.items():
            if network.overlaps(unusable):
                yield Finding((path,), f"{network} overlaps {name}", "a network for unicast addresses")
                break


def _overlaps(config: Config) -> Iterator[Finding]:
    for (first, one), (second, other) in combinations(_networks(config).items(), 2):
        if one.overlaps(other):
            found = f"{'.'.join(second)} ({other}) overlaps {'.'.join(first)} ({one})"
            yield Finding((second, first), found, "subnet, pods and services in networks of their own")


def _subnet_room(config: Config) -> Iterator[Finding]:
    subnet = config.network.subnet
    room = room_for_workers(subnet)
    if room < 1:
        found = f"{subnet} has no address for worker1 (number {FIRST_WORKER} in it)"
        yield Finding((SUBNET,), found, "a network of /27 or larger")
    elif config.workers > room:
        found = f"{config.workers} workers, but {subnet} has addresses for {room}"
        allowed = f"at most {room} workers in this subnet, or a larger network.subnet"
        yield Finding((("workers",), SUBNET), found, allowed)


def _services_size(config: Config) -> Iterator[Finding]:
    services = config.network.service_cidr
    if services.prefixlen not in SERVICE_PREFIXES:
        found = f"{services} is too {'large' if services.prefixlen < SERVICE_PREFIXES.start else 'small'}"
        yield Finding((SERVICES,), found, f"a network from /{SERVICE_PREFIXES.start} to /{SERVICE_PREFIXES.stop - 1}")


def _blocks(config: Config) -> Iterator[Finding]:
    pods, size = config.network.pod_cidr, config.network.block_size
    nodes = config.workers + 1
    if size < pods.prefixlen:
        found = f"blocks of /{size} do not fit into {pods}"
        yield Finding((BLOCK_SIZE, PODS), found, f"a block size from {max(20, pods.prefixlen)} to 32")
    elif 2 ** (size - pods.prefixlen) < nodes:
        found = f"{pods} has {2 ** (size - pods.prefixlen)} blocks of /{size}, but the cluster has {nodes} nodes"
        yield Finding((PODS, BLOCK_SIZE, ("workers",)), found, "a block for each node")


def _pod_addresses(config: Config) -> Iterator[Finding]:
    room = config.workers * 2 ** (32 - config.network.block_size)
    if config.app.replicas > room:
        found = f"{config.app.replicas} pods, but the workers' blocks of /{config.network.block_size} hold {room}"
        allowed = f"at most {room} replicas, more workers, or larger blocks"
        yield Finding((("app", "replicas"), BLOCK_SIZE, ("workers",)), found, allowed)


def _vip(config: Config) -> Iterator[Finding]:
    vip, subnet = config.ingress.vip, config.network.subnet
    if vip is None:
        return
    if config.ingress.count < 2:
        yield Finding((VIP, COUNT), f"{vip}, but one ingress machine has nobody to share it with", "ingress.count 2")
    if vip not in subnet or vip in (subnet.network_address, subnet.broadcast_address):
        yield Finding((VIP, SUBNET), f"{vip} is no machine's address in {subnet}", "a free address of network.subnet")
        return
    # A subnet that has too few addresses is a finding of its own.
    taken = {"this host": GATEWAY, **numbers(config.ingress.count, config.workers, router=config.router)}
    names = {subnet.network_address + number: name for name, number in taken.items() if number < subnet.num_addresses}
    if vip in names:
        found = f"{vip} is the address of {names[vip]}"
        yield Finding((VIP, SUBNET, ("workers",), COUNT), found, "a free address of network.subnet")


def _bgp(config: Config) -> Iterator[Finding]:
    network, bgp = config.network, config.bgp
    if bgp.bfd and config.source == "upstream":
        yield Finding(
            (("bgp", "bfd"), ("source",)), "BFD together with source upstream, whose Calico has none", "false"
        )
    if bgp.mesh == "reflector" and not config.router and network.ingress_as_number not in (None, network.as_number):
        found = "reflector, but ingress has an AS number of its own: only routes within one AS are reflected"
        yield Finding((("bgp", "mesh"), ("network", "ingress_as_number")), found, "full, or one AS number for all")


def _encapsulation(config: Config) -> Iterator[Finding]:
    tunnel = config.network.encapsulation
    if tunnel != "none" and config.source == "debian":
        found = f"{tunnel} together with source debian: the stand-in for Calico's agent has routes alone, no tunnels"
        yield Finding((("network", "encapsulation"), ("source",)), found, "none, or source upstream")


def _debian_versions(config: Config) -> Iterator[Finding]:
    if config.source != "debian":
        return
    for name in sorted(config.versions.model_fields_set):
        found = f"a version together with source debian: {getattr(config.versions, name)}"
        yield Finding((("versions", name), ("source",)), found, "nothing here: Debian's archive has one version")


def _kubeadm(config: Config) -> Iterator[Finding]:
    if config.provider == "auto" or Provider(config.provider).traits.shares_host_kernel:
        return
    if config.cpus.controlplane < CONTROLPLANE_CPUS:
        found = f"{config.cpus.controlplane}, which kubeadm refuses on a virtual machine"
        yield Finding((("cpus", "controlplane"), ("provider",)), found, f"{CONTROLPLANE_CPUS} or more")
    if config.memory.controlplane < CONTROLPLANE_MEMORY:
        found = f"{config.memory.controlplane}, which kubeadm refuses on a virtual machine"
        yield Finding((("memory", "controlplane"), ("provider",)), found, f"{CONTROLPLANE_MEMORY} or more")


def _limits(config: Config) -> Iterator[Finding]:
    if config.provider == "auto" or Provider(config.provider).traits.shares_host_kernel:
        return
    for name in sorted(config.limits.model_fields_set):
        found = f"a limit together with provider {config.provider}"
        yield Finding(
            (("limits", name), ("provider",)), found, "nothing here: a virtual machine has its memory and cpus"
        )


def _offline(config: Config) -> Iterator[Finding]:
    if config.sources.offline and config.sources.cache is None:
        about = (("sources", "offline"), ("sources", "cache"))
        yield Finding(about, "true without a cache", "sources.cache beside it (`labctl cache pull` fills one)")
