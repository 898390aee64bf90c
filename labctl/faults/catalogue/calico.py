"""Faults of Calico: its agent, its CNI configuration, its objects."""

from __future__ import annotations

from functools import partial

from labctl.checks.check import Layer
from labctl.faults.fault import Fault, object_fault, patch_object
from labctl.model.lab import Role, Source

_object = partial(object_fault, Layer.CALICO)


_PEER = "bgppeers.$CALICO"
_BGP = "bgpconfigurations.$CALICO"
_POOL = "ippools.$CALICO"

FAULTS = (
    Fault(
        name="agent-stopped",
        layer=Layer.CALICO,
        level=1,
        lesson="What applies Calico's objects on a node, and what keeps working without it.",
        answer="Calico's agent is stopped on a worker",
        role=Role.WORKER,
        root_causes=(Layer.CALICO.check("agent", "{machine}"),),
        cause="labctl-calico-node.service on {machine} was stopped",
        apply="stop_unit labctl-calico-node.service",
        undo="start_units",
        sources=(Source.DEBIAN,),
    ),
    Fault(
        name="cni-lost",
        layer=Layer.CALICO,
        level=2,
        lesson="A node is NotReady and says why: what the kubelet needs before it can run pods.",
        answer="Calico's CNI configuration is missing on a worker",
        role=Role.WORKER,
        root_causes=(Layer.CALICO.check("cni", "{machine}"),),
        cause="{machine} has no CNI configuration",
        apply="back_up_file /etc/cni/net.d/10-calico.conflist\nrm -f /etc/cni/net.d/10-calico.conflist",
        undo="restore_files",
    ),
    Fault(
        name="cni-foreign",
        layer=Layer.CALICO,
        level=3,
        lesson="New pods get unexpected addresses: which of several CNI configurations is used.",
        answer="a second CNI configuration sorts before Calico's by name",
        role=Role.WORKER,
        root_causes=(Layer.CALICO.check("cni", "{machine}"),),
        cause="00-loopback.conf",
        apply="""
printf '{"cniVersion": "0.3.1", "name": "lo", "type": "loopback"}\\n' >/etc/cni/net.d/00-loopback.conf
""",
        undo="rm -f /etc/cni/net.d/00-loopback.conf",
    ),
    _object(
        "bgppeer-deleted",
        1,
        Layer.CALICO.check("peer"),
        "no BGPPeer names ingress",
        "the BGPPeer for ingress is deleted",
        "A session needs two ends: what tells the nodes about theirs.",
        f"back_up_object {_PEER} ingress\nkubectl delete {_PEER} ingress --ignore-not-found",
    ),
    _object(
        "bgppeer-as-wrong",
        1,
        Layer.CALICO.check("peer"),
        "AS 65099",
        "the BGPPeer for ingress has the wrong AS number",
        "Both ends must agree on both AS numbers: how to see which end is wrong.",
        patch_object(_PEER, "ingress", '{"spec":{"asNumber":65099}}'),
    ),
    _object(
        "bgppeer-address-wrong",
        1,
        Layer.CALICO.check("peer"),
        "no BGPPeer names ingress",
        "the BGPPeer for ingress has another machine's address",
        "A session with no one at the other end: how a wrong address differs from a wrong AS number.",
        patch_object(_PEER, "ingress", '{"spec":{"peerIP":"\'"$GATEWAY"\'"}}'),
    ),
    _object(
        "bgppeer-one-node",
        2,
        Layer.CALICO.check("peer"),
        "only",
        "the BGPPeer for ingress is for one node only",
        "Some pods answer and others do not: which nodes a BGPPeer is for.",
        patch_object(_PEER, "ingress", '{"spec":{"node":"\'"$MACHINE"\'"}}'),
    ),
    _object(
        "bgpconfiguration-as-wrong",
        2,
        Layer.CALICO.check("bgp"),
        "AS 64999",
        "BGPConfiguration default has the wrong AS number",
        "All sessions fail at once: what all nodes have in common.",
        patch_object(_BGP, "default", '{"spec":{"asNumber":64999}}'),
    ),
    _object(
        "mesh-off",
        2,
        Layer.CALICO.check("bgp"),
        "nodeToNodeMeshEnabled",
        "the node-to-node mesh is switched off",
        "From outside everything works, but pods cannot reach pods on other nodes.",
        patch_object(_BGP, "default", '{"spec":{"nodeToNodeMeshEnabled":false}}'),
    ),
    _object(
        "pool-disabled",
        2,
        Layer.CALICO.check("pool"),
        "no enabled IPPool",
        "the IPPool is disabled",
        "Everything works until the next pod starts: where pods get their addresses.",
        patch_object(_POOL, "default-ipv4-ippool", '{"spec":{"disabled":true}}'),
        # With upstream software Calico's operator restores the pool within seconds.
        sources=(Source.DEBIAN,),
    ),
)
