"""Objects of the Kubernetes API, as far as the checks look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Node:
    """A node. reason: the Ready condition's reason and message. taints: those that Kubernetes did not set itself."""

    name: str
    ready: bool
    reason: str
    internal_ip: str
    pressure: tuple[str, ...]
    unschedulable: bool
    taints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod.

    reason: why it is not ready (a container's waiting reason, or the scheduler's words). port: first container port,
    if any.
    """

    namespace: str
    name: str
    node: str
    phase: str
    ready: bool
    deleting: bool
    address: IPv4Address | None
    host_network: bool
    labels: Labels
    reason: str
    port: int | None
    port_names: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Service:
    """A service. ports: (name, port, target port as written). protocols: of the ports, in the same order."""

    namespace: str
    name: str
    selector: Labels
    ports: tuple[tuple[str, int, str], ...]
    protocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A pod behind a service. pod: empty where the address is no pod's."""

    address: str
    port: int
    pod: str
    ready: bool


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment: how many pods it wants, and how many are ready. trouble: why it can't make more, if it says."""

    namespace: str
    name: str
    wanted: int
    ready: int
    labels: Labels
    selector: Labels
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class DaemonSet:
    """A DaemonSet: what labels its pods have."""

    namespace: str
    name: str
    selector: Labels


@dataclass(frozen=True, slots=True)
class IngressPath:
    """One path of an Ingress and the service behind it.

    port: name or number as written. class_name: empty where it has none.
    """

    namespace: str
    ingress: str
    class_name: str
    host: str
    path: str
    service: str
    port: str


@dataclass(frozen=True, slots=True)
class IngressClass:
    """An ingress class."""

    name: str
    controller: str
    default: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """An IPPool of Calico."""

    name: str
    cidr: IPv4Network
    block_size: int
    disabled: bool


@dataclass(frozen=True, slots=True)
class BgpConfiguration:
    """A BGPConfiguration of Calico; None where the object does not say."""

    name: str
    as_number: int | None
    mesh: bool


@dataclass(frozen=True, slots=True)
class BgpPeer:
    """A BGPPeer of Calico. scope: node name or selector; empty: every node."""

    name: str
    peer: str
    as_number: int
    scope: str


@dataclass(frozen=True, slots=True)
class BlockAffinity:
    """A block of the pod network and the node that claims it."""

    name: str
    node: str
    cidr: IPv4Network
    state: str


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """What a rule of a policy says about packets to a pod.

    action: Allow, Deny, Pass or Log. protocol, not_protocol: in capitals; empty: any, none. nets, not_nets: where
    packets come from; empty: from anywhere, from nowhere. ports: first and last; empty: any. icmp_type: None: any.
    unclear: the rule has a further condition, and whether a packet meets it can't be told here.
    """

    action: str
    protocol: str = ""
    not_protocol: str = ""
    nets: tuple[IPv4Network, ...] = ()
    not_nets: tuple[IPv4Network, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    icmp_type: int | None = None
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy or GlobalNetworkPolicy that is about packets to pods.

    namespace: empty: of all. selector: which pods, in Calico's words; None: that can't be told here. tier: Calico's;
    Kubernetes' policies are in `default`. rules: in their order, for packets to the pod.
    """

    kind: str
    namespace: str
    name: str
    selector: str | None
    tier: str
    rules: tuple[PolicyRule, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the API answered. errors: by name of probes.API_PATHS, why that question has no answer."""

    readyz: str
    version: str
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    services: tuple[Service, ...]
    endpoints: Mapping[tuple[str, str], tuple[Endpoint, ...]]
    deployments: tuple[Deployment, ...]
    daemonsets: tuple[DaemonSet, ...]
    ingress_paths: tuple[IngressPath, ...]
    ingress_classes: tuple[IngressClass, ...]
    pools: tuple[Pool, ...]
    bgp_configurations: tuple[BgpConfiguration, ...]
    bgp_peers: tuple[BgpPeer, ...]
    blocks: tuple[BlockAffinity, ...]
    policies: tuple[Policy, ...]
    errors: Mapping[str, str]
