"""Calico's objects in the API: its pool, its BGP settings and peers, and the blocks that nodes have claimed."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.facts.cluster import Node, Pod
from labctl.model.calico import DEFAULT_AS_NUMBER, BgpConfiguration, BgpPeer
from labctl.model.kubernetes import AS_NUMBER_ANNOTATION as _AS_NUMBER
from labctl.model.lab import Lab, Machine, Mesh
from labctl.model.selector import SelectorError

_SPARE_ADDRESSES = 2
"""Of a full block, addresses that no pod shows: a tunnel's, and one that was released a moment ago."""


def pool(facts: Facts, lab: Lab) -> Outcome:
    """An enabled IPPool with the lab's network and block size."""
    facts.require_api("ippools")
    words = listed(
        f"{item.name}: {item.cidr} /{item.block_size}{' disabled' if item.disabled else ''}"
        for item in facts.cluster.pools
    )
    wanted = (lab.network.pod_cidr, lab.network.block_size)
    if any((item.cidr, item.block_size) == wanted and not item.disabled for item in facts.cluster.pools):
        return passed(words)
    cause = f"no enabled IPPool has {lab.network.pod_cidr} in blocks of /{lab.network.block_size}"
    return failed(words or "no IPPool", cause, "labctl kubectl get ippools -o yaml")


def configuration(facts: Facts, lab: Lab) -> Outcome:
    """BGPConfiguration default has the lab's AS number, and its mesh or none (Calico's own defaults: 64512, on)."""
    facts.require_api("bgpconfigurations")
    found = next((item for item in facts.cluster.bgp_configurations if item.name == "default"), None)
    mesh = (found or BgpConfiguration()).mesh
    number = (found or BgpConfiguration()).as_number or DEFAULT_AS_NUMBER
    words = f"AS {number}, {mesh_words(mesh)}" + ("" if found else " (no object: Calico's defaults)")
    hint = "labctl kubectl get bgpconfiguration default -o yaml"
    if number != lab.network.as_number:
        where = "BGPConfiguration default says" if found else "without BGPConfiguration default the nodes use"
        return failed(words, f"{where} AS {number}, the lab's is {lab.network.as_number}", hint)
    own = [node for node in facts.cluster.nodes if node.as_number not in ("", str(number))]
    if own:
        cause = f"node {own[0].name} has AS {own[0].as_number}, the lab's is {number}: its annotation {_AS_NUMBER}"
        return failed(
            f"{own[0].name}: AS {own[0].as_number}", cause, f"labctl kubectl annotate node {own[0].name} {_AS_NUMBER}-"
        )
    wanted = lab.bgp.mesh is Mesh.FULL
    if mesh != wanted:
        effect = "so nodes do not peer with each other" if wanted else f"but {lab.peers[0].name} reflects the routes"
        cause = f"BGPConfiguration default has nodeToNodeMeshEnabled: {str(mesh).lower()}, {effect}"
        return failed(words, cause, hint)
    return passed(words)


def mesh_words(mesh: bool) -> str:
    """In words."""
    return "full mesh" if mesh else "no mesh"


def peer(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Some BGPPeer names this machine with its AS number, for every node; none names a machine of no lab."""
    facts.require_api("bgppeers", "nodes")
    peers = facts.cluster.bgp_peers
    name, number = machine.name, lab.as_number(machine)
    words = listed(f"{item.name}: {item.peer_ip} as {item.as_number}" for item in peers) or "no BGPPeer"
    hint = "labctl kubectl get bgppeers -o yaml"
    mine = [item for item in peers if item.address == machine.address]
    if not mine:
        cause = f"no BGPPeer names {name} ({machine.address}), so no node opens a session with it"
        return failed(words, cause, "labctl kubectl get bgppeers")
    right = [item for item in mine if item.as_number == number]
    if not right:
        return failed(words, f"BGPPeer {mine[0].name} says AS {mine[0].as_number}, {name} has AS {number}", hint)
    if missing := [node.name for node in facts.cluster.nodes if not _has_peer(node, right)]:
        scope = right[0].node or right[0].node_selector
        verb = "has" if len(missing) == 1 else "have"
        return failed(
            words, f"BGPPeer {right[0].name} is for `{scope}` only; {listed(missing)} {verb} no such peer", hint
        )
    known = {item.address for item in lab.machines}
    if foreign := [item for item in peers if item.address not in known]:
        cause = f"BGPPeer {foreign[0].name} is for {foreign[0].peer_ip}, which is not a machine of the lab"
        return failed(words, cause, f"labctl kubectl delete bgppeers.projectcalico.org {foreign[0].name}")
    return passed(words)


def _has_peer(node: Node, peers: Iterable[BgpPeer]) -> bool:
    """Whether one of these is for the node; one whose selector is not understood may be."""
    for peer in peers:
        try:
            if peer.is_for(node.name, node.labels):
                return True
        except SelectorError:
            return True
    return False


def block(facts: Facts, lab: Lab, node: Machine) -> Outcome:
    """The node has confirmed blocks, inside the pod network, that no other node has."""
    facts.require_api("blockaffinities")
    mine = facts.cluster.blocks_of(node.name)
    hint = "labctl kubectl get blockaffinities"
    if not mine:
        pending = [item for item in facts.cluster.blocks if item.node == node.name]
        words = listed(f"{item.cidr} {item.state}" for item in pending) or "no block"
        return failed(words, f"no BlockAffinity gives {node.name} a confirmed block", hint)
    words = listed(item.cidr for item in mine)
    pools = (lab.network.pod_cidr, *(pool.cidr for pool in facts.cluster.pools))
    outside = [item for item in mine if not any(item.cidr.subnet_of(pool) for pool in pools)]
    if outside:
        return failed(words, f"{outside[0].cidr} is not inside the pod network {lab.network.pod_cidr}", hint)
    twice = [
        other
        for item in mine
        for other in facts.cluster.blocks
        if other.node != node.name and other.cidr.overlaps(item.cidr)
    ]
    if twice:
        return failed(words, f"{twice[0].cidr} is claimed by {node.name} and by {twice[0].node}", hint)
    if waiting := _waits_for_a_block(facts, lab, node):
        return failed(f"{words}: full", waiting, hint)
    return passed(words)


def _waits_for_a_block(facts: Facts, lab: Lab, node: Machine) -> str:
    """Why pods of this node get no address, although its agent and CNI work; empty if that is not so.

    Calico gives a node whose blocks are full another one, as long as the pool has one left.
    """
    waiting = [pod for pod in facts.cluster.pods if pod.node == node.name and _wants_address(pod)]
    own = [item.cidr for item in facts.cluster.blocks_of(node.name)]
    used = {pod.address for pod in facts.cluster.pods if pod.address and not pod.done and not pod.host_network}
    free = sum(block.num_addresses for block in own) - len({ip for ip in used if any(ip in block for block in own)})
    pool = next((item for item in facts.cluster.pools if item.cidr == lab.network.pod_cidr), None)
    if not waiting or pool is None or free > _SPARE_ADDRESSES:
        return ""
    blocks = 2 ** (pool.block_size - pool.cidr.prefixlen)
    taken = {item.cidr for item in facts.cluster.blocks if item.cidr.subnet_of(pool.cidr)}
    if len(taken) < blocks:
        return ""
    return (
        f"no block left in pool {pool.name} ({pool.cidr}): all {blocks} blocks of /{pool.block_size} are claimed, and "
        f"{node.name}'s addresses are all in use: pod {waiting[0].full_name} gets none"
    )


def _wants_address(pod: Pod) -> bool:
    return pod.phase == "Pending" and pod.address is None and not pod.host_network and not pod.deleting
