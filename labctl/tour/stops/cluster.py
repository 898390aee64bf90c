"""Stops on the control plane: the nodes, their BGP sessions without ingress, and their blocks of addresses."""

from __future__ import annotations

from ipaddress import IPv4Network

from labctl.tour.stop import Guide, Stop, calicoctl, kubectl, shell
from labctl.tour.stops.known import blocks, listed, whole


def session_lines(text: str, address: str) -> str:
    """What calicoctl's table says of a peer; a long cell goes on in the next row."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if f"| {address} " in line:
            more = [row for row in lines[index + 1 : index + 2] if row.startswith("|") and not row[1:16].strip()]
            return " ".join(" ".join(row.split("|")[-2].strip() for row in (line, *more)).split())
    return ""


def all_sessions_up(guide: Guide, text: str) -> bool:
    """Whether BIRD on ingress has all its sessions established, in ``show protocols``."""
    up = {line.split()[0] for line in text.splitlines() if line.rstrip().endswith("Established")}
    return {neighbor.name for neighbor in guide.lab.neighbors(guide.lab.ingress)} <= up


def _nodes(guide: Guide) -> None:
    text = guide.run(kubectl("get nodes"), r"\bReady\b", r"\bNotReady\b")
    ready = [line.split()[0] for line in text.splitlines() if line.split()[1:2] == ["Ready"]]
    wanted = [node.name for node in guide.lab.nodes]
    guide.claim(f"all {len(wanted)} nodes are Ready", set(wanted) <= set(ready), f"Ready: {listed(ready)}")


def _refused(guide: Guide) -> None:
    peer = guide.lab.peers[0]
    start = shell(peer.name, "systemctl start bird")
    guide.must_undo("bird", start)
    guide.run(shell(peer.name, "systemctl stop bird"))
    status = calicoctl("node status")
    address = str(peer.address)
    text = guide.run(
        status,
        rf"{whole(address)}.*(Active|Connect|Idle|OpenSent|refused).*",
        r"\|\s+\| refused.*",
        until=lambda text: "efused" in session_lines(text, address),
        deadline=8.0,
    )
    seen = session_lines(text, address)
    guide.claim(
        f"the node knows {peer.name} as a peer and has no session with it",
        bool(seen) and "Established" not in seen,
        seen,
    )
    guide.claim("the connection is refused: nothing listens there", "refused" in seen.lower(), seen)
    guide.run(start)
    guide.undone("bird")
    again = guide.ask(shell(peer.name, "systemctl is-active bird || true")).strip()
    guide.claim("BIRD runs again", again == "active", again)


def _blocks(guide: Guide) -> None:
    guide.run(kubectl("describe blockaffinities"), r"Cidr: +\S+", r"Node: +\S+", r"State: +\S+")
    found = blocks(guide)
    nodes = [node.name for node in guide.lab.nodes]
    network = guide.lab.network
    words = listed(f"{name} {found.get(name, 'none')}" for name in nodes)
    guide.claim(
        "each node has a block, and no two the same", len({found.get(n) for n in nodes} - {None}) == len(nodes), words
    )
    cidrs = [IPv4Network(cidr) for cidr in found.values()]
    fits = all(cidr.prefixlen == network.block_size and cidr.subnet_of(network.pod_cidr) for cidr in cidrs)
    guide.claim(f"each is a /{network.block_size} of {network.pod_cidr}", fits and bool(found))


STOPS = (
    Stop(
        "nodes",
        "The nodes of the cluster",
        "Three kinds of machines make the lab: a control plane, workers, and ingress. Only the first two are nodes of "
        "Kubernetes. ingress is not in this list: it stands outside, and that is the point of the whole lab.",
        _nodes,
    ),
    Stop(
        "refused",
        "The nodes call, nobody answers: BGP before BIRD runs",
        "Calico on every node wants to tell ingress which pods it has. We stop BIRD on ingress for a moment, as it was "
        "before anybody configured it. The nodes still have sessions with each other (the mesh), but the one with "
        "ingress is refused. Without it ingress has no route to any pod.",
        _refused,
    ),
    Stop(
        "blocks",
        "Each node has a block of the pod network",
        "Calico cuts the pod network into blocks and gives each node one. A pod gets its address from the block of the "
        "node that it runs on, so one route per node is enough to reach every pod: a table of blocks, not of pods.",
        _blocks,
    ),
)
