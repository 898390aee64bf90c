"""The API's objects that the agent follows, read from JSON into typed, frozen dataclasses.

Fields and defaults: projectcalico/calico v3.32.1, api/pkg/apis/projectcalico/v3 (bgppeer.go, bgpconfig.go, ippool.go,
blockaffinity.go). What crds.yaml does not have is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, TypeVar

Json = Mapping[str, Any]
Value = TypeVar("Value")

API_VERSION = "projectcalico.org/v3"
ADDRESS_ANNOTATION = "projectcalico.org/IPv4Address"
AS_NUMBER_ANNOTATION = "projectcalico.org/ASNumber"
CONTROL_PLANE_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")

DEFAULT_AS_NUMBER = 64512
DEFAULT_BLOCK_SIZE = 26
_HIGHEST_AS_NUMBER = 2**32 - 1
_SECONDS = {"h": 3600, "m": 60, "s": 1}


class ObjectError(ValueError):
    """An object of the API holds something that cannot be used; the text says which object and what."""


class NextHopMode(StrEnum):
    """What a node tells a peer about the next hop of its routes."""

    AUTO = "Auto"
    SELF = "Self"
    KEEP = "Keep"


class AffinityState(StrEnum):
    """How far a node is with claiming a block."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    PENDING_DELETION = "pendingDeletion"


@dataclass(frozen=True, slots=True)
class BgpConfiguration:
    """The cluster's BGP settings: the object named ``default``, or Calico's defaults where there is none."""

    as_number: int = DEFAULT_AS_NUMBER
    mesh: bool = True
    log_severity: str = "Info"


@dataclass(frozen=True, slots=True)
class BgpPeer:
    """A neighbour that some or all nodes have a session with. Times in seconds; None means BIRD's default."""

    name: str
    address: IPv4Address
    as_number: int
    port: int | None = None
    node: str = ""
    node_selector: str = ""
    local_as_number: int | None = None
    allowed_local_as_numbers: int | None = None
    next_hop_mode: NextHopMode = NextHopMode.AUTO
    keep_original_next_hop: bool = False
    use_node_address: bool = True
    max_restart_time: int | None = None
    keepalive_time: int | None = None
    password_secret: tuple[str, str] | None = None

    @property
    def is_global(self) -> bool:
        """Whether every node has this peer."""
        return not self.node and not self.node_selector


@dataclass(frozen=True, slots=True)
class IpPool:
    """A range that blocks are cut from. exported: its routes may be told to BGP peers.

    nat_outgoing: pods of this range speak to the world outside all pools with their node's address.
    """

    name: str
    cidr: IPv4Network
    block_size: int = DEFAULT_BLOCK_SIZE
    disabled: bool = False
    exported: bool = True
    nat_outgoing: bool = False
    node_selector: str = ""


@dataclass(frozen=True, slots=True)
class BlockAffinity:
    """A node's claim on a block. resource_version, uid: the API's, empty before the object exists."""

    name: str
    node: str
    cidr: IPv4Network
    state: AffinityState
    resource_version: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster. address: its BGP address, once its agent has said it."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    address: IPv4Interface | None = None
    as_number: int | None = None

    @property
    def is_control_plane(self) -> bool:
        """Whether the node runs the control plane."""
        return any(label in self.labels for label in CONTROL_PLANE_LABELS)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the agent knows of the API at one moment."""

    configuration: BgpConfiguration = BgpConfiguration()
    peers: tuple[BgpPeer, ...] = ()
    pools: tuple[IpPool, ...] = ()
    affinities: tuple[BlockAffinity, ...] = ()
    nodes: tuple[Node, ...] = ()

    def node(self, name: str) -> Node | None:
        """The node of that name, if the API knows it."""
        return next((node for node in self.nodes if node.name == name), None)


def read_configuration(item: Json) -> BgpConfiguration:
    """A BGPConfiguration. Raises ObjectError."""
    spec = _spec(item)
    as_number = spec.get("asNumber")
    mesh = spec.get("nodeToNodeMeshEnabled")
    return BgpConfiguration(
        as_number=DEFAULT_AS_NUMBER if as_number is None else _as_number(item, as_number),
        mesh=True if mesh is None else bool(mesh),
        log_severity=str(spec.get("logSeverityScreen") or "Info"),
    )


def read_peer(item: Json) -> BgpPeer:
    """A BGPPeer. Raises ObjectError: also for peers by IPv6 or by peerSelector, which this lab does not have."""
    spec = _spec(item)
    address, _, port = str(spec.get("peerIP", "")).partition(":")
    local_as = spec.get("localASNumber")
    return BgpPeer(
        name=name_of(item),
        address=_parsed(item, "peerIP", IPv4Address, address),
        port=_parsed(item, "peerIP", int, port) if port else None,
        as_number=_as_number(item, spec.get("asNumber")),
        node=str(spec.get("node") or ""),
        node_selector=str(spec.get("nodeSelector") or ""),
        local_as_number=None if local_as is None else _as_number(item, local_as),
        allowed_local_as_numbers=spec.get("numAllowedLocalASNumbers"),
        next_hop_mode=_parsed(item, "nextHopMode", NextHopMode, spec.get("nextHopMode") or NextHopMode.AUTO),
        keep_original_next_hop=bool(spec.get("keepOriginalNextHop")),
        use_node_address=spec.get("sourceAddress") != "None",
        max_restart_time=_seconds(item, "maxRestartTime"),
        keepalive_time=_seconds(item, "keepaliveTime"),
        password_secret=_secret(item),
    )


def read_pool(item: Json) -> IpPool:
    """An IPPool of IPv4. Raises ObjectError."""
    spec = _spec(item)
    return IpPool(
        name=name_of(item),
        cidr=_parsed(item, "cidr", IPv4Network, spec.get("cidr")),
        block_size=_parsed(item, "blockSize", int, spec.get("blockSize") or DEFAULT_BLOCK_SIZE),
        disabled=bool(spec.get("disabled")),
        exported=not spec.get("disableBGPExport"),
        nat_outgoing=bool(spec.get("natOutgoing")),
        node_selector=str(spec.get("nodeSelector") or ""),
    )


def read_affinity(item: Json) -> BlockAffinity:
    """A BlockAffinity. Raises ObjectError."""
    spec, metadata = _spec(item), item.get("metadata", {})
    return BlockAffinity(
        name=name_of(item),
        node=str(spec.get("node", "")),
        cidr=_parsed(item, "cidr", IPv4Network, spec.get("cidr")),
        state=_parsed(item, "state", AffinityState, spec.get("state")),
        resource_version=str(metadata.get("resourceVersion", "")),
        uid=str(metadata.get("uid", "")),
    )


def read_node(item: Json) -> Node:
    """A Kubernetes Node with what Calico's agents annotate. Raises ObjectError."""
    metadata = item.get("metadata", {})
    annotations = metadata.get("annotations") or {}
    address, as_number = annotations.get(ADDRESS_ANNOTATION), annotations.get(AS_NUMBER_ANNOTATION)
    return Node(
        name=name_of(item),
        labels=dict(metadata.get("labels") or {}),
        address=_parsed(item, ADDRESS_ANNOTATION, IPv4Interface, address) if address else None,
        as_number=_as_number(item, as_number) if as_number else None,
    )


def affinity_object(affinity: BlockAffinity) -> dict[str, Any]:
    """The JSON of a BlockAffinity, as Calico 3.32's native mode writes it."""
    metadata = {"name": affinity.name}
    if affinity.resource_version:
        metadata["resourceVersion"] = affinity.resource_version
    return {
        "apiVersion": API_VERSION,
        "kind": "BlockAffinity",
        "metadata": metadata,
        "spec": {
            "cidr": str(affinity.cidr),
            "deleted": False,
            "node": affinity.node,
            "state": affinity.state.value,
            "type": "host",
        },
    }


def affinity_name(node: str, block: IPv4Network) -> str:
    """The name of a node's claim: ``worker1-172-16-235-128-26``."""
    return f"{node}-{block.network_address}-{block.prefixlen}".replace(".", "-")


def name_of(item: Json) -> str:
    """The object's name."""
    return str(item.get("metadata", {}).get("name", ""))


def _spec(item: Json) -> Json:
    spec = item.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _parsed(item: Json, key: str, read: Callable[[Any], Value], text: Any) -> Value:
    try:
        return read(text)
    except (ValueError, TypeError) as error:
        raise ObjectError(f"{item.get('kind', 'object')} {name_of(item)}: {key}: {error}") from error


def _as_number(item: Json, value: Any) -> int:
    number = _parsed(item, "asNumber", int, value)
    if not 1 <= number <= _HIGHEST_AS_NUMBER:
        raise ObjectError(f"{item.get('kind', 'object')} {name_of(item)}: {number} is no AS number")
    return number


def _seconds(item: Json, key: str) -> int | None:
    """A duration as Go writes it (``90s``, ``2m``, ``1m30s``), in seconds."""
    text = _spec(item).get(key)
    if text is None:
        return None
    parts = re.findall(r"(\d+)([hms])", str(text))
    if "".join(number + unit for number, unit in parts) != str(text):
        raise ObjectError(f"{item.get('kind', 'object')} {name_of(item)}: {key}: {text!r} is no duration")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def _secret(item: Json) -> tuple[str, str] | None:
    password = _spec(item).get("password")
    if not isinstance(password, Mapping):
        return None
    reference = password.get("secretKeyRef") or {}
    return str(reference.get("name", "")), str(reference.get("key", ""))
