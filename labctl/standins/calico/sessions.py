"""Which BGP sessions a node has: the mesh with the other nodes, and the peers that BGPPeer objects name.

Rules: projectcalico/calico v3.32.1, confd/pkg/backends/calico/bgp_processor.go and the BIRD templates beside it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from labctl.model.calico import (
    DEFAULT_AS_NUMBER,
    BgpConfiguration,
    BgpPeer,
    BlockAffinity,
    IpPool,
    NextHopMode,
)
from labctl.model.kubernetes import Node
from labctl.model.selector import SelectorError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the agent knows of the API at one moment."""

    configuration: BgpConfiguration = field(default_factory=BgpConfiguration)
    peers: tuple[BgpPeer, ...] = ()
    pools: tuple[IpPool, ...] = ()
    affinities: tuple[BlockAffinity, ...] = ()
    nodes: tuple[Node, ...] = ()

    def node(self, name: str) -> Node | None:
        """The node of that name, if the API knows it."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass(frozen=True, slots=True)
class Session:
    """One BGP session as it is written for BIRD. name: of the protocol. local_as: None means the node's own.

    multihop: the peer need not be on the node's own network. passive: the other side connects. Times in seconds.
    """

    name: str
    address: IPv4Address
    as_number: int
    port: int | None = None
    multihop: bool = False
    passive: bool = False
    local_as: int | None = None
    allowed_local_as_numbers: int | None = None
    next_hop_mode: NextHopMode = NextHopMode.AUTO
    use_node_address: bool = True
    max_restart_time: int | None = None
    keepalive_time: int | None = None
    password_secret: tuple[str, str] | None = None


def node_as_number(snapshot: Snapshot, node: Node) -> int:
    """The AS number of a node: its own, or the cluster's."""
    return node.as_number or snapshot.configuration.as_number or DEFAULT_AS_NUMBER


def sessions_of(snapshot: Snapshot, node: Node) -> tuple[Session, ...]:
    """Every session of ``node``, in a fixed order: mesh, global peers, peers of single nodes, each by address.

    There is one session per neighbor: a peer of this node alone replaces a global one, and both replace the mesh.
    """
    sessions: dict[IPv4Address, Session] = {}
    if snapshot.configuration.mesh:
        sessions |= {session.address: session for session in _mesh(snapshot, node)}
    as_number = node_as_number(snapshot, node)
    peers = [peer for peer in sorted(snapshot.peers, key=lambda peer: peer.name) if _is_for(peer, node)]
    for peer in sorted(peers, key=lambda peer: not peer.is_global):
        sessions[peer.address] = _peer_session(peer, as_number)
    kinds = ("Mesh", "Global", "Node")
    own = node.bgp_address.ip if node.bgp_address else None
    others = [session for session in sessions.values() if session.address != own]
    return tuple(sorted(others, key=lambda session: (kinds.index(session.name.split("_")[0]), session.address)))


def _mesh(snapshot: Snapshot, node: Node) -> list[Session]:
    """A session with every other node whose address is known. One side waits, so that only one connects.

    The side whose address is the lower one *as text* connects, as in Calico's template (``gt`` of two strings).
    """
    if node.bgp_address is None:
        return []
    own = str(node.bgp_address.ip)
    return [
        Session(
            name=_session_name("Mesh", other.bgp_address.ip, None),
            address=other.bgp_address.ip,
            as_number=node_as_number(snapshot, other),
            passive=str(other.bgp_address.ip) > own,
        )
        for other in snapshot.nodes
        if other.name != node.name and other.bgp_address is not None
    ]


def _is_for(peer: BgpPeer, node: Node) -> bool:
    try:
        return peer.is_for(node.name, node.labels)
    except SelectorError as error:
        _log.warning("ignoring BGPPeer %s: %s", peer.name, error)
        return False


def _peer_session(peer: BgpPeer, as_number: int) -> Session:
    local_as = peer.local_as_number or as_number
    next_hop_mode = peer.next_hop_mode
    if peer.keep_original_next_hop and next_hop_mode is NextHopMode.AUTO and peer.as_number != local_as:
        next_hop_mode = NextHopMode.KEEP
    return Session(
        name=_session_name("Global" if peer.is_global else "Node", peer.address, peer.port),
        address=peer.address,
        port=peer.port,
        as_number=peer.as_number,
        multihop=True,
        local_as=peer.local_as_number,
        allowed_local_as_numbers=peer.allowed_local_as_numbers,
        next_hop_mode=next_hop_mode,
        use_node_address=peer.use_node_address,
        max_restart_time=peer.max_restart_time,
        keepalive_time=peer.keepalive_time,
        password_secret=peer.password_secret,
    )


def _session_name(kind: str, address: IPv4Address, port: int | None) -> str:
    name = f"{kind}_{address}".replace(".", "_")
    return f"{name}_port_{port}" if port else name
