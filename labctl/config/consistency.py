"""Errors in labctl.yaml that no single key shows: values that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

from labctl.config.build import FIRST_WORKER, GATEWAY, chosen_versions, machine_numbers, room_for_workers
from labctl.config.keys import KeyPath
from labctl.config.schema import Config
from labctl.model.provider import Provider
from labctl.sources.releases import refusals

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
# host-local takes no smaller network ("too small to allocate from"; containernetworking, allocator/range.go).
SMALLEST_DEBIAN_BLOCK = 30
# The kubelet's default (KubeletConfiguration, maxPods).
PODS_PER_NODE = 110
# kubeadm's preflight checks refuse a control plane with less (cmd/kubeadm/app/constants: ControlPlaneNumCPU, -Mem).
CONTROLPLANE_CPUS, CONTROLPLANE_MEMORY = 2, 1700


@dataclass(frozen=True, slots=True)
class Conflict:
    """Values that do not fit together. keys: those that it follows from, the one to change first."""

    keys: tuple[KeyPath, ...]
    found: str
    allowed: str


def conflicts(config: Config) -> list[Conflict]:
    """Everything that does not fit together, in the order of the checks."""
    checks = (
        *(_unusable, _overlaps, _provider_network, _subnet_room, _services_size, _blocks, _pod_addresses),
        *(_vip, _bgp, _encapsulation, _debian_versions, _versions, _kubeadm, _limits, _offline),
    )
    return [found for check in checks for found in check(config)]


def _networks(config: Config) -> dict[KeyPath, IPv4Network]:
    network = config.network
    return {SUBNET: network.subnet, PODS: network.pod_cidr, SERVICES: network.service_cidr}


def _unusable(config: Config) -> Iterator[Conflict]:
    for path, network in _networks(config).items():
        for unusable, name in UNUSABLE.items():
            if network.overlaps(unusable):
                yield Conflict((path,), f"{network} overlaps {name}", "a network for unicast addresses")
                break


def _overlaps(config: Config) -> Iterator[Conflict]:
    for (first, one), (second, other) in combinations(_networks(config).items(), 2):
        if one.overlaps(other):
            found = f"{'.'.join(second)} ({other}) overlaps {'.'.join(first)} ({one})"
            yield Conflict((second, first), found, "subnet, pod and service networks that do not overlap")


def _provider_network(config: Config) -> Iterator[Conflict]:
    own = None if config.provider == "auto" else Provider(config.provider).traits.own_network
    for path, network in _networks(config).items():
        if own is not None and network.overlaps(own):
            found = f"{network} overlaps {own}, on which {config.provider} gives every machine an address"
            yield Conflict((path, ("provider",)), found, f"a network that does not overlap {own}")


def _subnet_room(config: Config) -> Iterator[Conflict]:
    subnet = config.network.subnet
    room = room_for_workers(subnet)
    if room < 1:
        found = f"{subnet} has no address for worker1 (number {FIRST_WORKER} in it)"
        yield Conflict((SUBNET,), found, "a network of /27 or larger")
    elif config.workers > room:
        found = f"{config.workers} workers, but {subnet} has addresses for {room}"
        allowed = f"at most {room} workers in this subnet, or a larger network.subnet"
        yield Conflict((("workers",), SUBNET), found, allowed)


def _services_size(config: Config) -> Iterator[Conflict]:
    services = config.network.service_cidr
    if services.prefixlen not in SERVICE_PREFIXES:
        found = f"{services} is too {'large' if services.prefixlen < SERVICE_PREFIXES.start else 'small'}"
        yield Conflict((SERVICES,), found, f"a network from /{SERVICE_PREFIXES.start} to /{SERVICE_PREFIXES.stop - 1}")


def _blocks(config: Config) -> Iterator[Conflict]:
    pods, size = config.network.pod_cidr, config.network.block_size
    nodes = config.workers + 1
    if size < pods.prefixlen:
        found = f"blocks of /{size} do not fit into {pods}"
        yield Conflict((BLOCK_SIZE, PODS), found, f"a block size from {max(20, pods.prefixlen)} to 32")
    elif 2 ** (size - pods.prefixlen) < nodes:
        found = f"{pods} has {2 ** (size - pods.prefixlen)} blocks of /{size}, but the cluster has {nodes} nodes"
        yield Conflict((PODS, BLOCK_SIZE, ("workers",)), found, "a block for each node")
    if size > SMALLEST_DEBIAN_BLOCK and config.source == "debian":
        found = f"blocks of /{size} with source debian, whose nodes use CNI's host-local, which needs /30 or larger"
        yield Conflict((BLOCK_SIZE, ("source",)), found, f"at most {SMALLEST_DEBIAN_BLOCK}, or source upstream")


def _pod_addresses(config: Config) -> Iterator[Conflict]:
    """A node whose block is full claims a further one, so the pool's blocks count; one is the control plane's."""
    pods, size, replicas = config.network.pod_cidr, config.network.block_size, config.app.replicas
    addresses = pods.num_addresses - 2 ** (32 - size)
    if size < pods.prefixlen:
        return  # a conflict of its own
    if addresses < replicas:
        found = f"{replicas} pods, but the workers' blocks in {pods} hold {addresses}"
        yield Conflict((("app", "replicas"), PODS, BLOCK_SIZE), found, "fewer replicas, or a larger network.pod_cidr")
    elif config.workers * PODS_PER_NODE < replicas:
        found = f"{replicas} pods, but the workers' kubelets run at most {config.workers * PODS_PER_NODE}"
        yield Conflict((("app", "replicas"), ("workers",)), found, "fewer replicas, or more workers")


def _vip(config: Config) -> Iterator[Conflict]:
    vip, subnet = config.ingress.vip, config.network.subnet
    if vip is None:
        return
    if config.ingress.count < 2:
        yield Conflict((VIP, COUNT), f"{vip}, but there is only one ingress machine", "ingress.count 2")
    if vip not in subnet or vip in (subnet.network_address, subnet.broadcast_address):
        yield Conflict((VIP, SUBNET), f"{vip} is not a host address in {subnet}", "a free address of network.subnet")
        return
    # A subnet with too few addresses is a conflict of its own.
    used = {"this host": GATEWAY, **machine_numbers(config.ingress.count, config.workers, router=config.router)}
    names = {subnet.network_address + number: name for name, number in used.items() if number < subnet.num_addresses}
    if vip in names:
        found = f"{vip} is the address of {names[vip]}"
        yield Conflict((VIP, SUBNET, ("workers",), COUNT), found, "a free address of network.subnet")


def _bgp(config: Config) -> Iterator[Conflict]:
    network, bgp = config.network, config.bgp
    if bgp.bfd and config.source == "upstream":
        yield Conflict((("bgp", "bfd"), ("source",)), "BFD with source upstream, but Calico has no BFD", "false")
    if bgp.mesh == "reflector" and not config.router and network.ingress_as_number not in (None, network.as_number):
        found = "reflector, but ingress has another AS number: only routes within one AS are reflected"
        yield Conflict(
            (("bgp", "mesh"), ("network", "ingress_as_number")), found, "full, or the same AS number for all"
        )


def _encapsulation(config: Config) -> Iterator[Conflict]:
    tunnel = config.network.encapsulation
    if tunnel != "none" and config.source == "debian":
        found = f"{tunnel} with source debian, but the stand-in for Calico's agent has no tunnels"
        yield Conflict((("network", "encapsulation"), ("source",)), found, "none, or source upstream")


def _debian_versions(config: Config) -> Iterator[Conflict]:
    if config.source != "debian":
        return
    for name in sorted(config.versions.model_fields_set):
        found = f"version {getattr(config.versions, name)} with source debian"
        yield Conflict((("versions", name), ("source",)), found, "no version: Debian's archive has only one")


def _versions(config: Config) -> Iterator[Conflict]:
    if config.source != "debian":
        for refusal in refusals(chosen_versions(config)):
            yield Conflict((("versions", refusal.name),), refusal.found, refusal.allowed)


def _kubeadm(config: Config) -> Iterator[Conflict]:
    if config.provider == "auto" or Provider(config.provider).traits.shares_host_kernel:
        return
    if config.cpus.controlplane < CONTROLPLANE_CPUS:
        found = f"{config.cpus.controlplane} on a virtual machine, which kubeadm refuses"
        yield Conflict((("cpus", "controlplane"), ("provider",)), found, f"{CONTROLPLANE_CPUS} or more")
    if config.memory.controlplane < CONTROLPLANE_MEMORY:
        found = f"{config.memory.controlplane} on a virtual machine, which kubeadm refuses"
        yield Conflict((("memory", "controlplane"), ("provider",)), found, f"{CONTROLPLANE_MEMORY} or more")


def _limits(config: Config) -> Iterator[Conflict]:
    if config.provider == "auto" or Provider(config.provider).traits.shares_host_kernel:
        return
    for name in sorted(config.limits.model_fields_set):
        found = f"a limit with provider {config.provider}"
        yield Conflict((("limits", name), ("provider",)), found, "no limit: use memory and cpus for virtual machines")


def _offline(config: Config) -> Iterator[Conflict]:
    if config.sources.offline and config.sources.cache is None:
        keys = (("sources", "offline"), ("sources", "cache"))
        yield Conflict(
            keys, "true, but there is no sources.cache", "sources.cache as well (`labctl cache pull` fills it)"
        )
