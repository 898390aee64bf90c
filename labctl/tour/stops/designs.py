"""What stops say in a lab of another design than the article's, where the article's sentences would be wrong."""

from __future__ import annotations

from dataclasses import replace

from labctl.model.lab import Lab, Mesh
from labctl.tour.stop import Stop


def as_in(lab: Lab, stop: Stop) -> Stop:
    """The stop, with reasons that are true in this lab."""
    why = _why(lab, stop.name)
    return replace(stop, why=why) if why else stop


def _why(lab: Lab, name: str) -> str:
    """Other reasons for a stop; empty: its own are right."""
    if lab.router is not None and name in _ROUTED:
        mesh = _NO_MESH if lab.bgp.mesh is Mesh.REFLECTOR else _MESH
        return _ROUTED[name].format(router=lab.router.name, mesh=mesh.format(peer=lab.router.name))
    if lab.router is None and lab.bgp.mesh is Mesh.REFLECTOR and name in _REFLECTED:
        return _REFLECTED[name].format(nodes_forget=_FORGET if len(lab.ingresses) == 1 else _KEEP)
    if lab.router is None and lab.network.as_number != lab.network.ingress_as_number and name in _EBGP:
        return _EBGP_KEPT.get(name, "") if lab.bgp.keep_next_hop else _EBGP[name]
    if len(lab.ingresses) > 1 and name in _SHARED:
        return _SHARED[name].format(entry=lab.entry, names=" and ".join(machine.name for machine in lab.ingresses))
    return ""


_FORGET = "once the hold time is over no node knows the others' blocks"
_KEEP = "the nodes hear of one another only because the other ingress machine reflects, too"
_MESH = "The nodes still have sessions with each other (the mesh)"
_NO_MESH = "There is no mesh: {peer} alone tells the nodes of one another"
_REFLECTED = {
    "refused": "Calico on every node wants to tell ingress which pods it has. In this lab there is no mesh: ingress is "
    "every node's peer and tells the nodes of one another. We stop BIRD on ingress for a moment, as it was "
    "before anybody configured it: the session is refused. Without it ingress has no route to any pod, and "
    "{nodes_forget}.",
    "filter": "BIRD on ingress gets one `protocol bgp` per node. The import filter matters most: it lets in blocks of "
    "the pod network and nothing else, so that no node can send ingress a default route by mistake. `rr client` makes "
    "ingress a route reflector: what one node told it, it tells the others, with the next hop left as it was.",
}
_ROUTED = {
    "nodes": "Four kinds of machines make this lab: a control plane, workers, a router, and ingress. Only the first "
    "two are nodes of Kubernetes. ingress is not in this list: it stands outside, behind {router}, and that is the "
    "point of the whole lab.",
    "refused": "Calico on every node wants to tell {router} which pods it has, and {router} tells ingress. We stop "
    "BIRD on {router} for a moment, as it was before anybody configured it. {mesh}; the session with {router} is "
    "refused. Without it ingress hears of no pod.",
    "filter": "BIRD on ingress has one session, with {router}: when a node comes or goes, this file stays as it is. "
    "The import filter matters most: it lets in blocks of the pod network and nothing else, so that nobody can send "
    "ingress a default route by mistake. `export none`: ingress listens and tells nothing.",
    "sessions": "One line per protocol; the one of kind BGP is the session with {router}. Established means: both "
    "sides agreed on AS numbers and hold time, and now exchange routes. A fresh session takes a second or two.",
    "bird-routes": "Every node told {router} of its own block, and {router} tells ingress of all of them, with itself "
    "as the next hop (`next hop self` in its bird.conf): all machines stand on one network, and BGP would name the "
    "node there, past the router.",
    "established": "Back on the control plane: the peer that was refused, {router}, is Established now.",
    "traceroute": "The packet's way in one picture: from ingress to {router}, to the node that has the pod, and from "
    "there to the pod. No NodePort, no other load balancer, no tunnel. (The answer goes from the node to ingress "
    "directly, as they stand on one network.)",
}
_EBGP = {
    "bird-routes": "Every node announces its own block, with itself as the next hop. Nodes and ingress have different "
    "AS numbers here (eBGP), so each node also tells what it learned from the other nodes, and again with itself as "
    "the next hop: ingress may then go to a block by way of a node that does not have it. `bgp: {next_hop: keep}` is "
    "the remedy; `labctl verify` finds the trap.",
    "kernel": "HAProxy knows nothing of BGP. It opens a TCP connection to a pod's address, and the kernel asks its "
    "table where that is. BIRD's kernel protocol writes the routes there; `proto bird` is its signature. Here the trap "
    "of eBGP shows: a block has a way through every node that told of it, and its owner may be only one of them.",
}
_EBGP_KEPT = {
    "bird-routes": "Every node announces its own block, with itself as the next hop. Nodes and ingress have different "
    "AS numbers here (eBGP), so each node also tells what it learned from the other nodes; as labctl.yaml says "
    "`next_hop: keep`, the next hop of those is still the node that has the block."
}
_SHARED = {
    "refused": "Calico on every node wants to tell both ingress machines, {names}, which pods it has. We stop BIRD on "
    "the first for a moment, as it was before anybody configured it. The nodes still have sessions with each other "
    "(the mesh) and with the second one, but the one with the first is refused. Without it that machine has no route "
    "to any pod, and Keepalived there hands the shared address on if it has it.",
    "request": "The client asks {entry}, the address that {names} share: whichever has it at the moment answers. "
    "HAProxy there looks up the application's name, picks a pod and connects to the pod's own address. We give the "
    "name in a header, so nothing has to be written to /etc/hosts; for a browser, `labctl hosts --apply` adds the "
    "line.",
    "stats": "HAProxy's own page on port 1024 shows each server, its checks and its requests: open it in a browser. "
    "Here we read a few of its columns as CSV, at the shared address, and leave out the spare slots that wait for "
    "later pods. {names} each count their own requests.",
}
