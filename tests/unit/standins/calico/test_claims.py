"""Claims on blocks: the rule, reuse, races, and release."""

from __future__ import annotations

import threading
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from labctl.model.calico import (
    AffinityState,
    BlockAffinity,
    IpPool,
    block_affinity_manifest,
    block_affinity_name,
    parse_block_affinity,
)
from labctl.model.kubernetes import Node
from labctl.standins.calico.claims import claim_block, list_affinities, own_blocks, release_claims_of_missing_nodes
from labctl.standins.errors import NoBlockError
from labctl.standins.kubernetes.watch import BLOCK_AFFINITIES, NODES

from .conftest import MemoryApi, make_node

POOL = IpPool("default-ipv4-ippool", IPv4Network("172.16.0.0/16"))


def put(api: MemoryApi, node: str, block: str, state: AffinityState = AffinityState.CONFIRMED) -> None:
    cidr = IPv4Network(block)
    api.create(
        BLOCK_AFFINITIES.path,
        block_affinity_manifest(BlockAffinity(block_affinity_name(node, cidr), node, cidr, state)),
    )


def claims(api: MemoryApi) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item["spec"] for item in api.get(BLOCK_AFFINITIES.path)["items"]}


def test_first_block_of_a_node(api: MemoryApi) -> None:
    assert claim_block(make_node("worker1"), [POOL], api) == IPv4Network("172.16.235.128/26")
    assert claims(api) == {
        "worker1-172-16-235-128-26": {
            "cidr": "172.16.235.128/26",
            "deleted": False,
            "node": "worker1",
            "state": "confirmed",
            "type": "host",
        }
    }
    assert claim_block(make_node("worker1"), [POOL], api) == IPv4Network("172.16.235.128/26")
    assert len(claims(api)) == 1


def test_a_further_block_is_the_next_one_of_the_node(api: MemoryApi) -> None:
    node = make_node("worker1")
    put(api, "other", "172.16.235.192/26")
    first = claim_block(node, [POOL], api)
    second = claim_block(node, [POOL], api, further=True)
    assert [str(block) for block in (first, second)] == ["172.16.235.128/26", "172.16.236.0/26"]
    assert own_blocks(node, [POOL], list_affinities(api)) == (first, second), "the oldest claim first"
    assert claim_block(node, [POOL], api) == first


def test_no_block_is_left_for_a_further_claim(api: MemoryApi) -> None:
    tiny = IpPool("tiny", IPv4Network("10.0.0.0/26"))
    claim_block(make_node("worker1"), [tiny], api)
    with pytest.raises(NoBlockError, match="every block"):
        claim_block(make_node("worker1"), [tiny], api, further=True)


@pytest.mark.parametrize("state", AffinityState)
def test_a_taken_block_is_passed_over(api: MemoryApi, state: AffinityState) -> None:
    put(api, "other", "172.16.235.128/26", state)
    assert claim_block(make_node("worker1"), [POOL], api) == IPv4Network("172.16.235.192/26")


def test_an_interrupted_claim_goes_on(api: MemoryApi) -> None:
    put(api, "worker1", "172.16.235.128/26", AffinityState.PENDING)
    assert claim_block(make_node("worker1"), [POOL], api) == IPv4Network("172.16.235.128/26")
    assert claims(api)["worker1-172-16-235-128-26"]["state"] == "confirmed"


def test_an_older_rival_that_was_not_seen_wins(api: MemoryApi, monkeypatch: pytest.MonkeyPatch) -> None:
    create = api.create

    def create_after_rival(path: str, item: dict[str, Any]) -> dict[str, Any]:
        monkeypatch.setattr(api, "create", create)
        put(api, "rival", item["spec"]["cidr"], AffinityState.PENDING)
        return create(path, item)

    monkeypatch.setattr(api, "create", create_after_rival)
    assert claim_block(make_node("worker1"), [POOL], api) == IPv4Network("172.16.235.192/26")
    assert set(claims(api)) == {"rival-172-16-235-128-26", "worker1-172-16-235-192-26"}


def test_no_two_nodes_share_a_block(api: MemoryApi) -> None:
    small = IpPool("small", IPv4Network("10.0.0.0/23"))
    won: list[IPv4Network] = []
    lost: list[str] = []

    def run(name: str) -> None:
        try:
            won.append(claim_block(make_node(name), [small], api))
        except NoBlockError:
            lost.append(name)

    threads = [threading.Thread(target=run, args=(f"node{n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == len(set(won)) == 8
    assert len(lost) == 4


def test_which_pools_count(api: MemoryApi) -> None:
    node = make_node("worker1")
    affinity = BlockAffinity("x", "worker1", IPv4Network("172.16.235.128/26"), AffinityState.CONFIRMED)
    assert own_blocks(node, [POOL], [affinity]) == (affinity.cidr,)
    for pool in (
        replace(POOL, disabled=True),
        replace(POOL, block_size=27),
        replace(POOL, cidr=IPv4Network("10.0.0.0/8")),
        replace(POOL, node_selector="has(rack)"),
        replace(POOL, node_selector="???"),
    ):
        assert own_blocks(node, [pool], [affinity]) == ()
    with pytest.raises(NoBlockError):
        claim_block(node, [replace(POOL, disabled=True)], api)


def test_claims_of_vanished_nodes_are_released(api: MemoryApi) -> None:
    put(api, "worker1", "172.16.235.128/26")
    put(api, "gone", "172.16.1.0/26")
    put(api, "late", "172.16.2.0/26")
    api.create(NODES.path, {"metadata": {"name": "late"}})  # the API knows it, the watch has not said so yet
    affinities = tuple(parse_block_affinity(item) for item in api.get(BLOCK_AFFINITIES.path)["items"])
    release_claims_of_missing_nodes((Node("worker1"),), affinities, api)
    assert set(claims(api)) == {"worker1-172-16-235-128-26", "late-172-16-2-0-26"}
