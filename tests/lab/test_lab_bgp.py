"""BGP: sessions and routes on ingress, and what becomes of them when a BGPPeer goes and comes back."""

from __future__ import annotations

import json

from support.lab_under_test import LabUnderTest, wait_until

from labctl.facts.birdc import parse_protocols


def sessions(lab: LabUnderTest) -> dict[str, bool]:
    """BIRD's sessions on ingress, and whether each is established."""
    protocols = parse_protocols(lab.birdc("ingress", "show", "protocols"))
    return {one.name: one.established for one in protocols if one.kind == "BGP"}


def routes(lab: LabUnderTest) -> dict[str, str]:
    """Routes that BIRD put into the kernel on ingress: the block, and the next hop."""
    found = json.loads(lab.on("ingress", "ip -json route"))
    return {route["dst"]: route["gateway"] for route in found if route.get("protocol") == "bird"}


def wanted_routes(lab: LabUnderTest) -> dict[str, str]:
    """A route per block, to the node that owns it."""
    owners = {node.name: str(node.address) for node in lab.model.nodes}
    return {one["spec"]["cidr"]: owners[one["spec"]["node"]] for one in lab.objects("blockaffinities")}


def test_ingress_has_an_established_session_with_each_node(lab: LabUnderTest) -> None:
    assert sessions(lab) == {node.name: True for node in lab.model.nodes}


def test_the_kernel_has_a_route_per_block_to_its_node(lab: LabUnderTest) -> None:
    assert routes(lab) == wanted_routes(lab)
    shown = lab.birdc("ingress", "show", "route")
    assert all(block in shown for block in wanted_routes(lab))


def test_without_its_bgppeer_sessions_and_routes_go_and_with_it_they_come_back(lab: LabUnderTest) -> None:
    peer = lab.labctl("calicoctl", "get", "bgppeer", "ingress", "--output", "yaml").stdout
    lab.kubectl("delete", "bgppeer", "ingress")
    try:
        wait_until("no session is established", lambda: sessions(lab), lambda seen: not any(seen.values()), seconds=15)
        wait_until("no route is left", lambda: routes(lab), lambda seen: not seen, seconds=15)
        report = lab.verify(status=1)
        assert [cause.split(".")[0] for cause in report["root_causes"]] == ["calico"], report["root_causes"]
        lab.labctl("calicoctl", "apply", "--filename", "-", stdin=peer)
    finally:
        lab.on("controlplane", "calicoctl apply --filename /root/lab/files/bgp-peers.yaml")
        lab.repaired()
    assert sessions(lab) == {node.name: True for node in lab.model.nodes}
    assert routes(lab) == wanted_routes(lab)
