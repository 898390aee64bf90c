"""bird.conf: golden files, sessions, and BIRD's own opinion."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from labctl.model.calico import BgpConfiguration, BgpPeer, IpPool, NextHopMode
from labctl.model.kubernetes import Node
from labctl.standins.calico.bird import render_bird_config
from labctl.standins.calico.sessions import Snapshot, sessions_of

from .conftest import make_node

pytestmark = pytest.mark.real_program("bird")

GOLDEN = Path(__file__).parent / "golden"
BLOCKS = (IPv4Network("172.16.235.128/26"),)
SECOND_BLOCK = IPv4Network("172.16.235.192/26")
SECRET = ("bgp", "password")


def node_of(snapshot: Snapshot, name: str = "worker1") -> Node:
    node = snapshot.node(name)
    assert node is not None
    return node


def all_options(snapshot: Snapshot) -> Snapshot:
    special = BgpPeer(
        "router",
        IPv4Address("192.168.50.99"),
        65001,
        port=1790,
        node_selector="kubernetes.io/hostname == 'worker1'",
        local_as_number=65009,
        allowed_local_as_numbers=1,
        next_hop_mode=NextHopMode.KEEP,
        max_restart_time=60,
        keepalive_time=10,
        password_secret=SECRET,
    )
    pools = (*snapshot.pools, IpPool("inside", IPv4Network("172.17.0.0/16"), exported=False))
    configuration = BgpConfiguration(as_number=4200000000, log_severity="Debug")
    return replace(snapshot, configuration=configuration, peers=(*snapshot.peers, special), pools=pools)


CASES = {
    "worker1.conf": lambda s: render_bird_config(s, node_of(s), BLOCKS, {}),
    "all-options.conf": lambda s: render_bird_config(
        all_options(s), node_of(s), (*BLOCKS, SECOND_BLOCK), {SECRET: "open sesame"}
    ),
    "no-block-no-mesh.conf": lambda s: render_bird_config(
        replace(s, peers=(), configuration=BgpConfiguration(mesh=False, log_severity="Warning")), node_of(s), (), {}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str, snapshot: Snapshot, request: pytest.FixtureRequest) -> None:
    text = CASES[name](snapshot)
    assert text == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", CASES)
def test_bird_accepts(name: str, tmp_path: Path) -> None:
    if shutil.which("bird") is None:
        pytest.skip("bird is not installed (apt install bird2)")
    copy = tmp_path / name
    copy.write_text((GOLDEN / name).read_text())
    done = subprocess.run(["bird", "-p", "-c", str(copy)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_one_side_of_a_mesh_session_waits(snapshot: Snapshot) -> None:
    sides = {
        (node.name, session.address): session.passive
        for node in snapshot.nodes
        for session in sessions_of(snapshot, node)
        if session.name.startswith("Mesh_")
    }
    assert len(sides) == 6
    for node in snapshot.nodes:
        for other in snapshot.nodes:
            if node is not other and node.bgp_address and other.bgp_address:
                assert sides[node.name, other.bgp_address.ip] != sides[other.name, node.bgp_address.ip]


def test_addresses_are_compared_as_text() -> None:
    snapshot = Snapshot(nodes=(make_node("a", "10.0.0.9"), make_node("b", "10.0.0.10")))
    (session,) = sessions_of(snapshot, node_of(snapshot, "b"))
    assert session.passive, "'10.0.0.9' > '10.0.0.10' as text"


def test_a_node_without_address_is_no_neighbour(snapshot: Snapshot) -> None:
    more = replace(snapshot, nodes=(*snapshot.nodes, make_node("new")))
    assert sessions_of(more, node_of(more)) == sessions_of(snapshot, node_of(snapshot))


def test_a_named_peer_goes_before_the_mesh_and_a_node_is_not_its_own_peer(snapshot: Snapshot) -> None:
    peers = (
        BgpPeer("other", IPv4Address("192.168.50.24"), 65000),
        BgpPeer("own", IPv4Address("192.168.50.23"), 65000),
        BgpPeer("bad-selector", IPv4Address("192.168.50.77"), 65000, node_selector="???"),
        BgpPeer("not-here", IPv4Address("192.168.50.78"), 65000, node="worker2"),
    )
    found = [session.name for session in sessions_of(replace(snapshot, peers=peers), node_of(snapshot))]
    assert found == ["Mesh_192_168_50_22", "Global_192_168_50_24"]


def test_old_keep_original_next_hop_is_for_other_systems_only(snapshot: Snapshot) -> None:
    for as_number, mode in ((65000, NextHopMode.AUTO), (65001, NextHopMode.KEEP)):
        peer = BgpPeer("p", IPv4Address("192.168.50.99"), as_number, keep_original_next_hop=True)
        found = sessions_of(replace(snapshot, peers=(peer,)), node_of(snapshot))
        assert found[-1].next_hop_mode is mode


def test_a_peer_without_its_password_is_left_out_and_a_bad_one_refused(snapshot: Snapshot) -> None:
    changed = all_options(snapshot)
    assert "Node_192_168_50_99" not in render_bird_config(changed, node_of(changed), BLOCKS, {})
    for password in ('x"; protocol static { }', "line\nbreak"):
        with pytest.raises(ValueError, match="password"):
            render_bird_config(changed, node_of(changed), BLOCKS, {SECRET: password})
