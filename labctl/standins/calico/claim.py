"""A node's claim on a block: an object in the API, so that no two nodes share a block and the first one wins.

Objects are created one after the other, and a list shows all that were created before. So a node first says
``pending``, lists, and takes the block only if no other claim on it is confirmed or older (by resourceVersion, which
grows with every write). Of two nodes at least the later one sees the other. A node that loses takes its claim back and
tries the next block. A node that dies in between finds its own pending claim when it starts again.
Calico reaches the same with a second object per block, IPAMBlock (libcalico-go/lib/ipam).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from labctl.model.blocks import blocks_for
from labctl.standins.calico.api import BLOCK_AFFINITY, Api, ConflictError
from labctl.standins.calico.objects import (
    AffinityState,
    BlockAffinity,
    IpPool,
    Node,
    ObjectError,
    affinity_name,
    affinity_object,
    read_affinity,
)
from labctl.standins.calico.selector import SelectorError, matches

_log = logging.getLogger(__name__)


class NoBlockError(Exception):
    """No pool for this node, or every block is taken."""


def own_block(node: Node, pools: Sequence[IpPool], affinities: Sequence[BlockAffinity]) -> IPv4Network | None:
    """The block that the node holds already, in a pool that still allows it; the oldest one if it holds several."""
    held = [
        affinity
        for affinity in affinities
        if affinity.node == node.name
        and affinity.state is AffinityState.CONFIRMED
        and any(_fits(affinity.cidr, pool) for pool in pools_for(node, pools))
    ]
    return min(held, key=_age).cidr if held else None


def claim_block(node: Node, pools: Sequence[IpPool], api: Api) -> IPv4Network:
    """Claim a block for ``node``, or return the one that it holds.

    Raises NoBlockError if there is none to have, ApiError if the API does not answer.
    """
    usable = pools_for(node, pools)
    if not usable:
        raise NoBlockError(f"no IPPool for node {node.name}")
    known = _listed(api)
    held = own_block(node, pools, known)
    if held is not None:
        return held
    for pool in usable:
        for block in blocks_for(node.name, pool.cidr, pool.block_size):
            taken = any(claim.cidr.overlaps(block) and claim.node != node.name for claim in known)
            if not taken and _claim(node.name, block, api):
                return block
    raise NoBlockError(f"every block of {', '.join(str(pool.cidr) for pool in usable)} is taken")


def pools_for(node: Node, pools: Sequence[IpPool]) -> list[IpPool]:
    """The pools that ``node`` may take blocks from, by name."""
    return [pool for pool in sorted(pools, key=lambda pool: pool.name) if not pool.disabled and _chooses(pool, node)]


def _chooses(pool: IpPool, node: Node) -> bool:
    try:
        return matches(pool.node_selector, node.labels)
    except SelectorError as error:
        _log.warning("IPPool %s is left out: %s", pool.name, error)
        return False


def _fits(block: IPv4Network, pool: IpPool) -> bool:
    return block.prefixlen == pool.block_size and block.subnet_of(pool.cidr)


def _claim(node: str, block: IPv4Network, api: Api) -> bool:
    """Try for one block. False: another node was first."""
    name = affinity_name(node, block)
    pending = BlockAffinity(name, node, block, AffinityState.PENDING)
    try:
        api.create(BLOCK_AFFINITY, affinity_object(pending))
    except ConflictError:
        _log.info("going on with the claim %s of an earlier start", name)
    known = _listed(api)
    mine = next((claim for claim in known if claim.name == name), None)
    if mine is None:
        return False
    rivals = [claim for claim in known if claim.name != name and claim.cidr.overlaps(block)]
    if any(rival.state is AffinityState.CONFIRMED or _age(rival) < _age(mine) for rival in rivals):
        _log.info("block %s is another node's", block)
        api.delete(BLOCK_AFFINITY, name, mine.uid)
        return False
    api.replace(BLOCK_AFFINITY, name, affinity_object(replace(mine, state=AffinityState.CONFIRMED)))
    _log.info("claimed block %s", block)
    return True


def _listed(api: Api) -> list[BlockAffinity]:
    found = []
    for item in api.list(BLOCK_AFFINITY)[0]:
        try:
            found.append(read_affinity(item))
        except ObjectError as error:
            _log.warning("left out: %s", error)
    return found


def _age(affinity: BlockAffinity) -> int:
    """Smaller is older."""
    return int(affinity.resource_version or 0)
