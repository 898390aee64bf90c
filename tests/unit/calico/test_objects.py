"""The API's JSON as typed objects, the store of what is watched, and the manifests."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

import labctl.standins.calico
from labctl.standins.calico.api import BGP_CONFIGURATION, BGP_PEER, IP_POOL, NODE, Change
from labctl.standins.calico.objects import (
    BgpConfiguration,
    NextHopMode,
    ObjectError,
    read_configuration,
    read_node,
    read_peer,
    read_pool,
)
from labctl.standins.calico.watch import FOLLOWED, Store

FOLDER = Path(labctl.standins.calico.__file__).parent


def item(name: str, **spec: Any) -> dict[str, Any]:
    return {"kind": "X", "metadata": {"name": name}, "spec": spec}


def test_defaults() -> None:
    assert read_configuration(item("default")) == BgpConfiguration(64512, True, "Info")
    pool = read_pool(item("p", cidr="172.16.0.0/16"))
    assert (pool.block_size, pool.disabled, pool.exported) == (26, False, True)
    peer = read_peer(item("p", peerIP="192.168.50.21", asNumber=65000))
    assert peer.is_global
    assert peer.use_node_address
    assert peer.next_hop_mode is NextHopMode.AUTO


def test_every_field_of_a_peer() -> None:
    peer = read_peer(
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
        read_peer(item("p", **spec))


def test_node() -> None:
    annotations = {"projectcalico.org/IPv4Address": "192.168.50.22/24", "projectcalico.org/ASNumber": "65010"}
    labels = {"node-role.kubernetes.io/control-plane": ""}
    node = read_node({"metadata": {"name": "controlplane", "annotations": annotations, "labels": labels}})
    assert node.address == IPv4Interface("192.168.50.22/24")
    assert node.as_number == 65010
    assert node.is_control_plane
    assert not read_node({"metadata": {"name": "worker1"}}).is_control_plane


def test_store() -> None:
    store = Store()
    for kind in FOLLOWED:
        assert store.snapshot() is None
        store.replace(kind, [])
    store.replace(IP_POOL, [item("good", cidr="172.16.0.0/16"), item("bad", cidr="fd00::/64")])
    store.change(NODE, Change("ADDED", item("worker1")))
    store.change(BGP_PEER, Change("ADDED", item("p", peerIP="192.168.50.21", asNumber=1)))
    store.change(BGP_PEER, Change("DELETED", item("p")))
    store.change(BGP_CONFIGURATION, Change("ADDED", item("node.worker1", asNumber=1)))
    found = store.snapshot()
    assert found is not None
    assert [pool.cidr for pool in found.pools] == [IPv4Network("172.16.0.0/16")]
    assert [node.name for node in found.nodes] == ["worker1"]
    assert found.peers == ()
    assert found.configuration == BgpConfiguration()


def test_manifests() -> None:
    crds = list(yaml.safe_load_all((FOLDER / "crds.yaml").read_text()))
    assert {crd["spec"]["names"]["kind"] for crd in crds} == {"BGPConfiguration", "BGPPeer", "IPPool", "BlockAffinity"}
    for crd in crds:
        names, spec = crd["spec"]["names"], crd["spec"]
        assert crd["apiVersion"] == "apiextensions.k8s.io/v1"
        assert crd["metadata"]["name"] == f"{names['plural']}.projectcalico.org"
        assert spec["scope"] == "Cluster"
        (version,) = spec["versions"]
        assert version["name"] == "v3"
    role, binding = yaml.safe_load_all((FOLDER / "rbac.yaml").read_text())
    assert binding["subjects"][0]["name"] == "labctl:calico-nodes"
    assert all("*" not in values for rule in role["rules"] for values in rule.values())
    followed = {kind.plural for kind in FOLLOWED}
    watched = {name for rule in role["rules"] if "watch" in rule["verbs"] for name in rule["resources"]}
    assert watched == followed
