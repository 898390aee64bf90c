"""From what the followers send to the agent's snapshot, and the manifests that define the objects."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

import labctl.standins.calico
from labctl.model.calico import BgpConfiguration, parse_bgp_configuration, parse_bgp_peer, parse_ip_pool
from labctl.model.kubernetes import parse_node
from labctl.standins.calico.agent import FOLLOWED, snapshot_of
from labctl.standins.kubernetes.watch import Changed, Listed, Lost, Removed, Store, Unreadable

FOLDER = Path(labctl.standins.calico.__file__).parent


def item(name: str, **spec: Any) -> dict[str, Any]:
    return {"kind": "X", "metadata": {"name": name}, "spec": spec}


def test_the_snapshot_is_what_the_followers_have_sent() -> None:
    store = Store(resource.kind for resource in FOLLOWED)
    for resource in FOLLOWED:
        assert not store.complete
        assert store.apply(Listed(resource.kind, ()))
    assert store.complete
    peer = parse_bgp_peer(item("p", peerIP="192.168.50.21", asNumber=1))
    assert store.apply(Listed("IPPool", (parse_ip_pool(item("good", cidr="172.16.0.0/16")),)))
    assert store.apply(Changed("Node", parse_node(item("worker1"))))
    assert store.apply(Changed("BGPPeer", peer))
    assert not store.apply(Changed("BGPPeer", peer))
    assert store.apply(Removed("BGPPeer", peer))
    assert not store.apply(Lost("BGPPeer", "gone"))
    assert not store.apply(Unreadable("BGPPeer", "p: peerIP: nonsense"))
    store.apply(Changed("BGPConfiguration", parse_bgp_configuration(item("node.worker1", asNumber=1))))
    found = snapshot_of(store)
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
    followed = {resource.path.split("/")[-1] for resource in FOLLOWED}
    watched = {name for rule in role["rules"] if "watch" in rule["verbs"] for name in rule["resources"]}
    assert watched == followed
