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
    if lab.bgp.mesh is Mesh.REFLECTOR and name in _REFLECTED:
        return _REFLECTED[name]
    if lab.network.as_number != lab.network.ingress_as_number and name == "bird-routes":
        return _EBGP_KEPT if lab.bgp.keep_next_hop else _EBGP
    if len(lab.ingresses) > 1 and name in ("request", "stats"):
        names = " and ".join(machine.name for machine in lab.ingresses)
        return _SHARED[name].format(entry=lab.entry, names=names)
    return ""


_REFLECTED = {
    "refused": "Calico on every node wants to tell ingress which pods it has. In this lab there is no mesh: ingress is "
    "each node's only peer and tells the nodes of one another. We stop BIRD on ingress for a moment, as it was before "
    "anybody configured it: the session is refused. Without it ingress has no route to any pod, and once the hold time "
    "is over no node knows the others' blocks.",
    "filter": "BIRD on ingress gets one `protocol bgp` per node. The import filter matters most: it lets in blocks of "
    "the pod network and nothing else, so that no node can send ingress a default route by mistake. `rr client` makes "
    "ingress a route reflector: what one node told it, it tells the others, with the next hop left as it was.",
}
_EBGP = (
    "Every node announces its own block, with itself as the next hop. Nodes and ingress have different AS numbers here "
    "(eBGP), so each node also tells what it learned from the other nodes, and again with itself as the next hop: "
    "ingress may then go to a block by way of a node that does not have it. `bgp: {next_hop: keep}` is the remedy; "
    "`labctl verify` finds the trap."
)
_EBGP_KEPT = (
    "Every node announces its own block, with itself as the next hop. Nodes and ingress have different AS numbers here "
    "(eBGP), so each node also tells what it learned from the other nodes; as labctl.yaml says `next_hop: keep`, the "
    "next hop of those is still the node that has the block."
)
_SHARED = {
    "request": "The client asks {entry}, the address that {names} share: whichever has it at the moment answers. "
    "HAProxy there looks up the application's name, picks a pod and connects to the pod's own address. We give the "
    "name in a header, so nothing has to be written to /etc/hosts; for a browser, `labctl hosts --apply` adds the "
    "line.",
    "stats": "HAProxy's own page on port 1024 shows each server, its checks and its requests: open it in a browser. "
    "Here we read a few of its columns as CSV, at the shared address, and leave out the spare slots that wait for "
    "later pods. {names} each count their own requests.",
}
