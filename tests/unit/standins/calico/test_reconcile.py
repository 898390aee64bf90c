"""One round of the agent after another, with an API in memory and a BIRD that only takes its file."""

from __future__ import annotations

import json
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, cast

import pytest

from labctl.standins.calico.agent import NodeAgent
from labctl.standins.calico.bird import Bird
from labctl.standins.calico.cni import blocks_in
from labctl.standins.calico.sessions import Snapshot
from labctl.standins.errors import NoBlockError
from labctl.standins.kubernetes.watch import BLOCK_AFFINITIES, IP_POOLS, NODES

from .conftest import MemoryApi

FIRST, SECOND = "172.16.235.128/26", "172.16.235.192/26"


class BirdFile:
    """In BIRD's place: keeps the text."""

    text = ""

    def install(self, text: str) -> None:
        self.text = text


class Node:
    """The agent of worker1 and its files."""

    def __init__(self, folder: Path, api: MemoryApi) -> None:
        self.api, self.bird, self.folder = api, BirdFile(), folder
        self.agent = NodeAgent(
            name="worker1",
            address=IPv4Interface("192.168.50.23/24"),
            mtu=1500,
            connect=lambda: cast("Any", api),
            bird=cast("Bird", self.bird),
            cni_config=folder / "conflist",
            ready=folder / "ready",
            block_request=folder / "request",
        )

    def round(self) -> None:
        self.agent.reconcile(self.snapshot())

    def snapshot(self, *, affinities: bool = True) -> Snapshot:
        """What the watches report of the API."""

        def parsed(resource: Any) -> tuple[Any, ...]:
            return tuple(resource.readers[resource.path](item) for item in self.api.get(resource.path)["items"])

        known = parsed(BLOCK_AFFINITIES) if affinities else ()
        return Snapshot(pools=parsed(IP_POOLS), affinities=known, nodes=parsed(NODES))

    def request_block(self, *used_up: str) -> None:
        """As the CNI plugin does."""
        (self.folder / "request").write_text(json.dumps(list(used_up)))

    @property
    def blocks(self) -> list[str]:
        return blocks_in(json.loads((self.folder / "conflist").read_text())["plugins"][0])


@pytest.fixture
def node(tmp_path: Path, api: MemoryApi) -> Node:
    api.create(NODES.path, {"metadata": {"name": "worker1"}})
    api.create(IP_POOLS.path, {"metadata": {"name": "pool"}, "spec": {"cidr": "172.16.0.0/16"}})
    return Node(tmp_path, api)


def test_the_first_round_claims_a_block_and_says_that_the_node_is_ready(node: Node) -> None:
    node.round()
    assert node.blocks == [FIRST]
    assert f"route {FIRST} blackhole" in node.bird.text
    assert json.loads((node.folder / "ready").read_text())["block"] == FIRST
    annotations = node.api.get(f"{NODES.path}/worker1")["metadata"]["annotations"]
    assert annotations == {"projectcalico.org/IPv4Address": "192.168.50.23/24"}


def test_a_full_block_gets_a_second_one_with_its_routes(node: Node) -> None:
    node.round()
    node.request_block(FIRST)
    assert node.agent.wants_block
    node.round()
    assert node.blocks == [FIRST, SECOND]
    assert f"route {FIRST} blackhole" in node.bird.text and f"route {SECOND} blackhole" in node.bird.text
    assert not node.agent.wants_block
    node.agent.reconcile(node.snapshot(affinities=False))
    assert node.blocks == [FIRST, SECOND], "the watch may report the claims later"


def test_a_request_that_does_not_know_the_newest_block_is_dropped(node: Node) -> None:
    node.round()
    node.request_block(FIRST)
    node.round()
    node.request_block(FIRST)
    node.round()
    assert node.blocks == [FIRST, SECOND]
    assert not node.agent.wants_block


def test_where_no_block_is_left_the_request_stays(node: Node) -> None:
    pool = node.api.get(f"{IP_POOLS.path}/pool")
    node.api.replace(f"{IP_POOLS.path}/pool", {**pool, "spec": {"cidr": "172.16.0.0/26"}})
    node.round()
    node.request_block("172.16.0.0/26")
    with pytest.raises(NoBlockError):
        node.round()
    assert node.agent.wants_block
