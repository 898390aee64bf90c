"""Calico's objects of the Kubernetes API as frozen data, and how each is read.

Fields and defaults: projectcalico/calico v3.32.1, api/pkg/apis/projectcalico/v3 (bgppeer.go, bgpconfig.go, ippool.go,
blockaffinity.go). Standard library only: this file also runs on the machines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from labctl.model.kubernetes import (
    Manifest,
    ObjectError,
    as_number_from,
    converted,
    map_at,
    metadata_of,
    name_of,
    text_at,
)
from labctl.model.selector import matches

API_VERSION = "projectcalico.org/v3"
"""Which API group and version Calico's objects have for users, and since Calico 3.33 for Kubernetes, too."""
AGGREGATED = "crd.projectcalico.org/v1"
"""What Kubernetes stores Calico's objects as where pods of Calico's serve API_VERSION (libcalico-go/lib/apis).

The control plane may have no route to those pods: before the nodes have their BGP peers, or when a fault cut the route.
"""
DEFAULT_AS_NUMBER = 64512
DEFAULT_BLOCK_SIZE = 26

_UNIT_SECONDS = {"h": 3600, "m": 60, "s": 1}


class NextHopMode(StrEnum):
    """The next hop that a node announces to a peer with its routes."""

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
    """The cluster's BGP settings; only the object named ``default`` counts. as_number: None means Calico's default."""

    name: str = "default"
    as_number: int | None = None
    mesh: bool = True
    log_severity: str = "Info"


@dataclass(frozen=True, slots=True)
class BgpPeer:
    """A BGP neighbor of some or all nodes. Times in seconds; None means BIRD's default."""

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
    def peer_ip(self) -> str:
        """Its address, with a port where it has one, as the object gives it."""
        return f"{self.address}:{self.port}" if self.port else str(self.address)

    @property
    def is_global(self) -> bool:
        """Whether every node has this peer."""
        return not self.node and not self.node_selector

    def is_for(self, node: str, labels: Mapping[str, str]) -> bool:
        """Whether the node of that name, with these labels, has this peer. Raises SelectorError."""
        return self.node == node if self.node else matches(self.node_selector, labels)


@dataclass(frozen=True, slots=True)
class IpPool:
    """A range that blocks are cut from. block_size: prefix length. exported: whether its routes may go to BGP peers."""

    name: str
    cidr: IPv4Network
    block_size: int = DEFAULT_BLOCK_SIZE
    disabled: bool = False
    exported: bool = True
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


def parse_bgp_configuration(manifest: Manifest) -> BgpConfiguration:
    """Read a BGPConfiguration. Raises ObjectError."""
    spec = map_at(manifest, "spec")
    as_number, mesh = spec.get("asNumber"), spec.get("nodeToNodeMeshEnabled")
    return BgpConfiguration(
        name=name_of(manifest),
        as_number=None if as_number is None else as_number_from(manifest, "asNumber", as_number),
        mesh=True if mesh is None else bool(mesh),
        log_severity=text_at(spec, "logSeverityScreen") or "Info",
    )


def parse_bgp_peer(manifest: Manifest) -> BgpPeer:
    """Read a BGPPeer. Raises ObjectError: also for peers by IPv6 or by peerSelector, which the lab does not have."""
    spec = map_at(manifest, "spec")
    address, _, port = text_at(spec, "peerIP").partition(":")
    local_as = spec.get("localASNumber")
    mode = spec.get("nextHopMode") or NextHopMode.AUTO
    return BgpPeer(
        name=name_of(manifest),
        address=converted(manifest, "peerIP", IPv4Address, address),
        port=converted(manifest, "peerIP", int, port) if port else None,
        as_number=as_number_from(manifest, "asNumber", spec.get("asNumber")),
        node=text_at(spec, "node"),
        node_selector=text_at(spec, "nodeSelector"),
        local_as_number=None if local_as is None else as_number_from(manifest, "localASNumber", local_as),
        allowed_local_as_numbers=spec.get("numAllowedLocalASNumbers"),
        next_hop_mode=converted(manifest, "nextHopMode", NextHopMode, mode),
        keep_original_next_hop=bool(spec.get("keepOriginalNextHop")),
        use_node_address=spec.get("sourceAddress") != "None",
        max_restart_time=_seconds(manifest, "maxRestartTime"),
        keepalive_time=_seconds(manifest, "keepaliveTime"),
        password_secret=_password_secret(spec),
    )


def parse_ip_pool(manifest: Manifest) -> IpPool:
    """Read an IPPool of IPv4. Raises ObjectError."""
    spec = map_at(manifest, "spec")
    return IpPool(
        name=name_of(manifest),
        cidr=converted(manifest, "cidr", IPv4Network, spec.get("cidr")),
        block_size=converted(manifest, "blockSize", int, spec.get("blockSize") or DEFAULT_BLOCK_SIZE),
        disabled=bool(spec.get("disabled")),
        exported=not spec.get("disableBGPExport"),
        node_selector=text_at(spec, "nodeSelector"),
    )


def parse_block_affinity(manifest: Manifest) -> BlockAffinity:
    """Read a BlockAffinity. Raises ObjectError."""
    spec, metadata = map_at(manifest, "spec"), metadata_of(manifest)
    return BlockAffinity(
        name=name_of(manifest),
        node=text_at(spec, "node"),
        cidr=converted(manifest, "cidr", IPv4Network, spec.get("cidr")),
        state=converted(manifest, "state", AffinityState, spec.get("state")),
        resource_version=text_at(metadata, "resourceVersion"),
        uid=text_at(metadata, "uid"),
    )


def block_affinity_manifest(affinity: BlockAffinity) -> dict[str, Any]:
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


def block_affinity_name(node: str, block: IPv4Network) -> str:
    """The name of a node's claim on a block: ``worker1-172-16-235-128-26``."""
    return f"{node}-{block.network_address}-{block.prefixlen}".replace(".", "-")


def _seconds(manifest: Manifest, key: str) -> int | None:
    """A duration as Go writes it (``90s``, ``2m``, ``1m30s``), in seconds."""
    value = map_at(manifest, "spec").get(key)
    if value is None:
        return None
    parts = re.findall(r"(\d+)([hms])", str(value))
    if "".join(number + unit for number, unit in parts) != str(value):
        raise ObjectError(f"{name_of(manifest)}: {key}: {value!r} is not a duration")
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def _password_secret(spec: Manifest) -> tuple[str, str] | None:
    if not spec.get("password"):
        return None
    reference = map_at(map_at(spec, "password"), "secretKeyRef")
    return text_at(reference, "name"), text_at(reference, "key")
