"""The JSON of Calico's objects as frozen data."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface
from typing import Any

import pytest

from labctl.model.calico import BgpConfiguration, NextHopMode, parse_bgp_configuration, parse_bgp_peer, parse_ip_pool
from labctl.model.kubernetes import ObjectError, parse_node


def item(name: str, **spec: Any) -> dict[str, Any]:
    return {"kind": "X", "metadata": {"name": name}, "spec": spec}


def test_defaults() -> None:
    assert parse_bgp_configuration(item("default")) == BgpConfiguration("default", None, mesh=True, log_severity="Info")
    pool = parse_ip_pool(item("p", cidr="172.16.0.0/16"))
    assert (pool.block_size, pool.disabled, pool.exported) == (26, False, True)
    peer = parse_bgp_peer(item("p", peerIP="192.168.50.21", asNumber=65000))
    assert peer.is_global
    assert peer.use_node_address
    assert peer.next_hop_mode is NextHopMode.AUTO


def test_every_field_of_a_peer() -> None:
    peer = parse_bgp_peer(
        item(
            "p",
            peerIP="192.168.50.21:1790",
            asNumber=65000,
            node="worker1",
            localASNumber=65009,
            numAllowedLocalASNumbers=2,
            nextHopMode="Self",
            sourceAddress="None",
            maxRestartTime="2m30s",
            keepaliveTime="9s",
            password={"secretKeyRef": {"name": "bgp", "key": "password"}},
        )
    )
    assert (peer.address, peer.port, peer.node) == (IPv4Address("192.168.50.21"), 1790, "worker1")
    assert (peer.max_restart_time, peer.keepalive_time) == (150, 9)
    assert peer.password_secret == ("bgp", "password")
    assert not peer.use_node_address


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"peerIP": "fd00::1", "asNumber": 1},
        {"peerIP": "192.168.50.21", "asNumber": 0},
        {"peerIP": "192.168.50.21", "asNumber": "many"},
        {"peerIP": "192.168.50.21", "asNumber": 1, "nextHopMode": "None"},
        {"peerIP": "192.168.50.21", "asNumber": 1, "keepaliveTime": "soon"},
    ],
)
def test_wrong_peers(spec: dict[str, Any]) -> None:
    with pytest.raises(ObjectError):
        parse_bgp_peer(item("p", **spec))


def test_node() -> None:
    annotations = {"projectcalico.org/IPv4Address": "192.168.50.22/24", "projectcalico.org/ASNumber": "65010"}
    labels = {"node-role.kubernetes.io/control-plane": ""}
    node = parse_node({"metadata": {"name": "controlplane", "annotations": annotations, "labels": labels}})
    assert node.bgp_address == IPv4Interface("192.168.50.22/24")
    assert node.as_number == 65010
    assert node.is_control_plane
    assert not parse_node({"metadata": {"name": "worker1"}}).is_control_plane
