"""A node's claims on blocks: objects in the API, so that no two nodes share a block and the first claim wins.

Objects are created one after the other, and a list shows all that were created before. So a node first says
``pending``, lists, and takes the block only if no other claim on it is confirmed or older (by resourceVersion, which
grows with every write). Of two nodes at least the later one sees the other. A node that loses withdraws its claim and
tries the next block. A node that dies in between finds its own pending claim when it starts again.
Calico reaches the same with a second object per block, IPAMBlock (libcalico-go/lib/ipam).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from labctl.model.blocks import blocks_for
from labctl.model.calico import (
    AffinityState,
    BlockAffinity,
    IpPool,
    block_affinity_manifest,
    block_affinity_name,
    parse_block_affinity,
)
from labctl.model.kubernetes import Node, ObjectError, maps_at
from labctl.model.selector import SelectorError, matches
from labctl.standins.errors import ConflictError, NoBlockError, NotFoundError
from labctl.standins.kubernetes.watch import BLOCK_AFFINITIES, NODES

if TYPE_CHECKING:
    from labctl.standins.kubernetes.client import Client

_log = logging.getLogger(__name__)


def list_affinities(api: Client) -> list[BlockAffinity]:
    """All claims, as the API has them now. Raises ApiError."""
    found = []
    for item in maps_at(api.get(BLOCK_AFFINITIES.path), "items"):
        try:
            found.append(parse_block_affinity(item))
        except ObjectError as error:
            _log.warning("ignoring BlockAffinity %s", error)
    return found


def own_blocks(node: Node, pools: Sequence[IpPool], affinities: Sequence[BlockAffinity]) -> tuple[IPv4Network, ...]:
    """The blocks that the node holds, in pools that still allow them, the oldest claim first."""
    usable = pools_for(node, pools)
    held = [
        affinity
        for affinity in affinities
        if affinity.node == node.name
        and affinity.state is AffinityState.CONFIRMED
        and any(_fits(affinity.cidr, pool) for pool in usable)
    ]
    return tuple(affinity.cidr for affinity in sorted(held, key=_age))


def claim_block(node: Node, pools: Sequence[IpPool], api: Client, *, further: bool = False) -> IPv4Network:
    """Claim a block for ``node``, or return the oldest one that it holds. further: claim one more in any case.

    Raises NoBlockError if there is none to have, ApiError if the API does not answer.
    """
    usable = pools_for(node, pools)
    if not usable:
        raise NoBlockError(f"no IPPool for node {node.name}")
    known = list_affinities(api)
    held = own_blocks(node, pools, known)
    if held and not further:
        return held[0]
    for pool in usable:
        for block in blocks_for(node.name, pool.cidr, pool.block_size):
            if any(block.overlaps(own) for own in held):
                continue
            taken = any(claim.cidr.overlaps(block) and claim.node != node.name for claim in known)
            if not taken and _claim(node.name, block, api):
                return block
    raise NoBlockError(f"every block of {', '.join(str(pool.cidr) for pool in usable)} is claimed")


def pools_for(node: Node, pools: Sequence[IpPool]) -> list[IpPool]:
    """The pools that ``node`` may take blocks from, by name."""
    return [pool for pool in sorted(pools, key=lambda pool: pool.name) if not pool.disabled and _selects(pool, node)]


def release_claims_of_missing_nodes(nodes: Sequence[Node], affinities: Sequence[BlockAffinity], api: Client) -> None:
    """Delete the claims of nodes that no longer exist. Raises ApiError.

    What was watched may be a moment old, so the API is asked about each such node before its claim is deleted.
    """
    names = {node.name for node in nodes}
    for affinity in affinities:
        if affinity.node in names:
            continue
        try:
            api.get(f"{NODES.path}/{affinity.node}")
        except NotFoundError:
            _log.info("node %s is gone: releasing its block %s", affinity.node, affinity.cidr)
            try:
                api.delete(f"{BLOCK_AFFINITIES.path}/{affinity.name}", affinity.uid)
            except NotFoundError:
                _log.debug("%s was deleted already", affinity.name)


def _selects(pool: IpPool, node: Node) -> bool:
    try:
        return matches(pool.node_selector, node.labels)
    except SelectorError as error:
        _log.warning("ignoring IPPool %s: %s", pool.name, error)
        return False


def _fits(block: IPv4Network, pool: IpPool) -> bool:
    return block.prefixlen == pool.block_size and block.subnet_of(pool.cidr)


def _claim(node: str, block: IPv4Network, api: Client) -> bool:
    """Try for one block. False: another node was first."""
    name = block_affinity_name(node, block)
    path = f"{BLOCK_AFFINITIES.path}/{name}"
    pending = BlockAffinity(name, node, block, AffinityState.PENDING)
    try:
        api.create(BLOCK_AFFINITIES.path, block_affinity_manifest(pending))
    except ConflictError:
        _log.info("continuing the claim %s of an earlier start", name)
    known = list_affinities(api)
    own = next((claim for claim in known if claim.name == name), None)
    if own is None:
        return False
    rivals = [claim for claim in known if claim.name != name and claim.cidr.overlaps(block)]
    if any(rival.state is AffinityState.CONFIRMED or _age(rival) < _age(own) for rival in rivals):
        _log.info("block %s belongs to another node", block)
        api.delete(path, own.uid)
        return False
    api.replace(path, block_affinity_manifest(replace(own, state=AffinityState.CONFIRMED)))
    _log.info("claimed block %s", block)
    return True


def _age(affinity: BlockAffinity) -> int:
    """Smaller is older."""
    return int(affinity.resource_version or 0)
