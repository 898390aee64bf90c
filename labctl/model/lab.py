"""The lab: its machines, networks, application and versions, as pure data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from labctl.model.calico import API_VERSION
from labctl.model.provider import Provider as Provider  # noqa: PLC0414 - part of a lab's model, too
from labctl.model.provider import Source as Source  # noqa: PLC0414


class Role(StrEnum):
    """What a machine is for."""

    INGRESS = "ingress"
    ROUTER = "router"
    CONTROLPLANE = "controlplane"
    WORKER = "worker"


NODE_ROLES = frozenset({Role.CONTROLPLANE, Role.WORKER})
"""Of the nodes of the Kubernetes cluster."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine. memory: MiB. address: on the lab's own network."""

    name: str
    role: Role
    address: IPv4Address
    memory: int
    cpus: int

    @property
    def is_node(self) -> bool:
        """Whether the machine is a node of the Kubernetes cluster."""
        return self.role in NODE_ROLES

    @property
    def forwards(self) -> bool:
        """Whether the machine forwards packets: to its pods, or as a router."""
        return self.is_node or self.role is Role.ROUTER


class Encapsulation(StrEnum):
    """How packets between pods on different nodes cross the lab's network: as they are, or in a tunnel."""

    NONE = "none"
    VXLAN = "vxlan"
    IPIP = "ipip"

    @property
    def overhead(self) -> int:
        """The bytes that the tunnel adds to each packet (Calico, "Configure MTU to maximize network performance")."""
        return {Encapsulation.NONE: 0, Encapsulation.VXLAN: 50, Encapsulation.IPIP: 20}[self]

    @property
    def device(self) -> str:
        """Calico's name of the tunnel's interface on a node; empty without a tunnel."""
        return {Encapsulation.NONE: "", Encapsulation.VXLAN: "vxlan.calico", Encapsulation.IPIP: "tunl0"}[self]


@dataclass(frozen=True, slots=True)
class Network:
    """The lab's networks. gateway: the host's address on the lab network. block_size: prefix length of a block."""

    subnet: IPv4Network
    gateway: IPv4Address
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    block_size: int
    as_number: int
    ingress_as_number: int
    encapsulation: Encapsulation = Encapsulation.NONE


class Mesh(StrEnum):
    """How a node learns other nodes' blocks: from each of them, or from ingress (or the router) as route reflector."""

    FULL = "full"
    REFLECTOR = "reflector"


@dataclass(frozen=True, slots=True)
class Bgp:
    """The BGP sessions of the machines outside the cluster.

    hold_time: seconds without a message after which a session is closed. bfd: Bidirectional Forwarding Detection
    (RFC 5880) detects a dead peer within a second. keep_next_hop: a node does not change the next hop of routes that
    it re-advertises. password: TCP segments carry an MD5 signature (RFC 2385).
    """

    hold_time: int = 30
    bfd: bool = False
    keep_next_hop: bool = False
    mesh: Mesh = Mesh.FULL
    password: bool = False


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """An address that two ingress machines share: only one of them has it at a time (VRRP, RFC 5798).

    advert_interval: seconds between advertisements of the machine that has it.
    """

    address: IPv4Address
    advert_interval: float


@dataclass(frozen=True, slots=True)
class App:
    """The application that the lab serves. host: its host name."""

    host: str
    replicas: int
    image: str


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of upstream software. Empty for source debian, whose archive has one version of each."""

    kubernetes: str
    calico: str
    controller: str
    haproxy: str


@dataclass(frozen=True, slots=True)
class Box:
    """The machines' box. name and version as Vagrant knows them; an empty version means any.

    mirror: Debian mirror for the box that labctl builds; empty: that of this host.
    """

    name: str
    version: str
    mirror: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What all LXC machines of a lab may use together. memory: MiB. cpus: processors. None: no limit."""

    memory: int | None = None
    cpus: float | None = None


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Servers that replace the publishers of upstream software.

    cache: URL with a folder per publisher. folder: the cache's folder on this host, if `up` serves it.
    offline: whether only the cache may be used.
    single: keys of ``sources:``, each with the URL that replaces scheme and host.
    """

    cache: str = ""
    single: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Internet:
    """How the machines reach the internet: as their host does.

    proxies: names and values as in an environment; a value may hold a password. name_servers: for machines without any.
    """

    proxies: tuple[tuple[str, str], ...] = ()
    name_servers: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Lab:
    """Everything that is known about a lab before it exists.

    emulated: whether the machines' processors are emulated in software (libvirt without KVM, or the host itself).
    calico_api: API group and version in which Kubernetes itself stores Calico's objects: API_VERSION or AGGREGATED.
    """

    name: str
    provider: Provider
    source: Source
    network: Network
    machines: tuple[Machine, ...]
    app: App
    versions: Versions
    box: Box
    mirrors: Mirrors = Mirrors()
    limits: Limits = Limits()
    emulated: bool = False
    vip: VirtualAddress | None = None
    bgp: Bgp = Bgp()
    calico_api: str = API_VERSION

    @property
    def calico_group(self) -> str:
        """The API group in which Kubernetes itself stores Calico's objects."""
        return self.calico_api.partition("/")[0]

    @property
    def patience(self) -> int:
        """How many times longer than usual everything on the machines may take.

        Software emulation is about ten times slower than a processor, and four machines share the host's.
        """
        return 8 if self.emulated else 1

    @property
    def cgroup(self) -> str:
        """The cgroup, below the root, that holds all containers of a lab with limits; empty for a lab without."""
        return f"labctl-{self.name}" if self.limits != Limits() else ""

    @property
    def ingress(self) -> Machine:
        """The machine outside the cluster, with HAProxy, the controller and BIRD; the first where there are two."""
        return next(machine for machine in self.machines if machine.role is Role.INGRESS)

    @property
    def ingresses(self) -> tuple[Machine, ...]:
        """All machines outside the cluster that take requests."""
        return tuple(machine for machine in self.machines if machine.role is Role.INGRESS)

    @property
    def entry(self) -> IPv4Address:
        """The address that clients use: the virtual address, or that of the only ingress machine."""
        return self.vip.address if self.vip else self.ingress.address

    @property
    def router(self) -> Machine | None:
        """The router between ingress and the nodes, if there is one."""
        return next((machine for machine in self.machines if machine.role is Role.ROUTER), None)

    @property
    def outside(self) -> tuple[Machine, ...]:
        """The machines outside the cluster that speak BGP: the router, if there is one, then ingress."""
        return (self.router, *self.ingresses) if self.router else self.ingresses

    @property
    def peers(self) -> tuple[Machine, ...]:
        """The machines outside the cluster that every node has a session with: the router, or else ingress."""
        return (self.router,) if self.router else self.ingresses

    def neighbors(self, machine: Machine) -> tuple[Machine, ...]:
        """The machines that a machine outside the cluster has BGP sessions with."""
        if self.router is None:
            return self.nodes
        return (*self.nodes, *self.ingresses) if machine.role is Role.ROUTER else (self.router,)

    def next_hop(self, here: Machine, node: Machine) -> Machine:
        """The machine to which ``here`` sends packets for the pods of a node."""
        return self.router if self.router and here.role is Role.INGRESS else node

    def as_number(self, machine: Machine) -> int:
        """The AS number of BIRD on a machine: a router belongs to the cluster's AS."""
        return self.network.ingress_as_number if machine.role is Role.INGRESS else self.network.as_number

    def behind(self, ingress: Machine) -> Lab:
        """The same lab as one of its ingress machines sees it: without the other one."""
        others = (other for other in self.machines if other.role is not Role.INGRESS or other == ingress)
        return replace(self, machines=tuple(others))

    @property
    def controlplane(self) -> Machine:
        """The machine that runs the cluster's control plane."""
        return next(machine for machine in self.machines if machine.role is Role.CONTROLPLANE)

    @property
    def workers(self) -> tuple[Machine, ...]:
        """The machines that run pods."""
        return tuple(machine for machine in self.machines if machine.role is Role.WORKER)

    @property
    def nodes(self) -> tuple[Machine, ...]:
        """The machines of the cluster: control plane and workers."""
        return tuple(machine for machine in self.machines if machine.is_node)

    def machine(self, name: str) -> Machine:
        """The machine of that name. Raises KeyError if the lab has none."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise KeyError(name)

    @property
    def bridge(self) -> str:
        """Name of the lab's bridge on the host; Linux allows 15 characters (IFNAMSIZ, linux/if.h)."""
        plain = f"labctl-{self.name}"
        if len(plain) <= 15:
            return plain
        return "labctl-" + hashlib.sha256(self.name.encode()).hexdigest()[:8]
