"""Explanations of stops for designs other than the article's, where the article's would be wrong."""

from __future__ import annotations

from dataclasses import replace

from labctl.model.lab import Lab, Mesh
from labctl.tour.runner import Stop


def adapt_stop(lab: Lab, stop: Stop) -> Stop:
    """The stop, with an explanation that is true in this lab."""
    why = _why(lab, stop.name)
    return replace(stop, why=why) if why else stop


def _why(lab: Lab, name: str) -> str:
    """Another explanation for a stop; empty if its own is true."""
    if lab.router is not None and name in _WITH_ROUTER:
        mesh = _WITHOUT_MESH if lab.bgp.mesh is Mesh.REFLECTOR else _WITH_MESH
        return _WITH_ROUTER[name].format(router=lab.router.name, mesh=mesh.format(peer=lab.router.name))
    if lab.router is None and lab.bgp.mesh is Mesh.REFLECTOR and name in _WITH_REFLECTOR:
        return _WITH_REFLECTOR[name].format(effect=_BLOCKS_LOST if len(lab.ingresses) == 1 else _BLOCKS_KEPT)
    if lab.router is None and lab.network.as_number != lab.network.ingress_as_number and name in _EBGP:
        return _EBGP_NEXT_HOP_KEPT.get(name, "") if lab.bgp.keep_next_hop else _EBGP[name]
    if len(lab.ingresses) > 1 and name in _TWO_INGRESSES:
        return _TWO_INGRESSES[name].format(
            entry=lab.entry, names=" and ".join(machine.name for machine in lab.ingresses)
        )
    return ""


_BLOCKS_LOST = "once the hold time expires, no node knows the blocks of the others"
_BLOCKS_KEPT = "the nodes learn each other's blocks only from the other ingress machine"
_WITH_MESH = "The nodes still have sessions with each other (the mesh)"
_WITHOUT_MESH = "There is no mesh: the nodes learn each other's blocks only from {peer}"
_WITH_REFLECTOR = {
    "refused": "Calico on every node wants to tell ingress which pods it has. In this lab there is no mesh: ingress "
    "is the peer of every node and passes their routes on. We stop BIRD on ingress for a moment, as if it was not "
    "configured yet: the connection is refused. Without a session, ingress has no route to any pod, and {effect}.",
    "filter": "BIRD on ingress has one `protocol bgp` per node. The import filter matters most: it accepts blocks of "
    "the pod network and nothing else, so that no node can send ingress a default route by mistake. `rr client` makes "
    "ingress a route reflector: it announces the routes of one node to the others and does not change their next hop.",
}
_WITH_ROUTER = {
    "nodes": "The lab has four kinds of machines: a control plane, workers, a router, and ingress. Only the first two "
    "are nodes of Kubernetes. ingress is not in this list: it is outside the cluster, behind {router}, and that is "
    "the point of the whole lab.",
    "refused": "Calico on every node wants to tell {router} which pods it has, and {router} tells ingress. We stop "
    "BIRD on {router} for a moment, as if it was not configured yet. {mesh}; {router} refuses the connection. Without "
    "a session with {router}, no block reaches ingress.",
    "filter": "BIRD on ingress has one session, with {router}: when a node is added or removed, this file does not "
    "change. The import filter matters most: it accepts blocks of the pod network and nothing else, so that no one "
    "can send ingress a default route by mistake. `export none` means that ingress announces nothing.",
    "sessions": "One line per protocol; the one of type BGP is the session with {router}. Established means that both "
    "sides agreed on AS numbers and hold time and now exchange routes. A new session takes a second or two.",
    "bird-routes": "Every node announces its own block to {router}, and {router} announces all of them to ingress, "
    "with itself as the next hop (`next hop self` in its bird.conf). Without that, the next hop would be the node, as "
    "all machines are on one network, and packets would bypass the router.",
    "established": "Back on the control plane: the session with {router} that was refused is Established now.",
    "traceroute": "The path of a packet: from ingress to {router}, to the node that runs the pod, and from there to "
    "the pod. No NodePort, no other load balancer, no tunnel. (The answer goes from the node to ingress directly, as "
    "they are on one network.)",
}
_EBGP = {
    "bird-routes": "Every node announces its own block, with itself as the next hop. Nodes and ingress have different "
    "AS numbers here (eBGP), so each node also announces the blocks that it learned from the other nodes, and again "
    "with itself as the next hop: ingress may send packets for a block to a node that does not have it. `bgp: "
    "{next_hop: keep}` prevents this; `labctl verify` detects it.",
    "kernel": "HAProxy knows nothing about BGP. It opens a TCP connection to a pod's address, and the kernel looks up "
    "the route. BIRD's kernel protocol writes the routes there; they are marked `proto bird`. Here the pitfall of "
    "eBGP shows: a block has a route through every node that announced it, and only one of them has the block.",
}
_EBGP_NEXT_HOP_KEPT = {
    "bird-routes": "Every node announces its own block, with itself as the next hop. Nodes and ingress have different "
    "AS numbers here (eBGP), so each node also announces the blocks that it learned from the other nodes. As "
    "labctl.yaml has `next_hop: keep`, their next hop is still the node that has the block.",
}
_TWO_INGRESSES = {
    "refused": "Calico on every node wants to tell both ingress machines, {names}, which pods it has. We stop BIRD on "
    "the first one for a moment, as if it was not configured yet. The nodes still have sessions with each other (the "
    "mesh) and with the second one, but the first one refuses the connection. Without a session, that machine has no "
    "route to any pod, and if it has the shared address, Keepalived hands it over.",
    "request": "The client sends a request for the application's name to {entry}, the address that {names} share: the "
    "machine that has it at the moment answers. HAProxy there looks up the name, picks a pod and connects to the "
    "pod's own address. We pass the name in a header, so that /etc/hosts needs no entry; for a browser, `labctl hosts "
    "--apply` adds one.",
    "stats": "HAProxy's statistics page on port 1024 shows each server, its health checks and its requests: open it "
    "in a browser. Here we read a few of its columns as CSV, at the shared address, and leave out the spare slots for "
    "later pods. {names} each count their own requests.",
}
