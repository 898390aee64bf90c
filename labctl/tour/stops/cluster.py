"""Stops about the cluster, and what stops compare with: blocks, pods and servers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from labctl.tour.runner import Stop, TourRunner, calicoctl, kubectl, shell

_RECONNECT_SECONDS = 40.0
"""Calico's BIRD connects again 5 to 30 s after a session was closed: `error wait time 5,30`, longer each time."""
_SERVER = re.compile(r"^\s*server \S+ (?!127\.)(\d+\.\d+\.\d+\.\d+):\d+ enabled", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunningPod:
    """A ready pod of the application."""

    name: str
    node: str
    address: str


def blocks_by_node(runner: TourRunner) -> dict[str, str]:
    """Each node's first block of the pod network, by node name."""
    found: dict[str, str] = {}
    for item in runner.ask_items(kubectl("get blockaffinities -o json")):
        spec = item.get("spec", {})
        if str(spec.get("state")) == "confirmed":
            found.setdefault(str(spec.get("node")), str(spec.get("cidr")))
    return found


def ready_pods(runner: TourRunner) -> tuple[RunningPod, ...]:
    """The application's ready pods, except those that are being deleted."""
    found = []
    for item in runner.ask_items(kubectl("get pods -l run=app -o json")):
        meta, status = item.get("metadata", {}), item.get("status", {})
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions", []))
        if ready and "deletionTimestamp" not in meta and status.get("podIP"):
            node = item.get("spec", {}).get("nodeName", "")
            found.append(RunningPod(str(meta.get("name")), str(node), str(status["podIP"])))
    return tuple(sorted(found, key=lambda pod: pod.name))


def server_addresses(text: str) -> tuple[str, ...]:
    """The addresses of haproxy.cfg's servers for pods, in order.

    Neither spare slots nor the server of the controller's own backend, which is on the loopback interface.
    """
    return tuple(_SERVER.findall(text))


def exactly(word: str) -> str:
    """A regular expression for exactly this address or name."""
    return rf"(?<![\w.]){re.escape(word)}(?![\w.])"


def comma_list(words: Iterable[str]) -> str:
    """The words with commas between them; `none` if there are none."""
    return ", ".join(words) or "none"


def session_state(text: str, address: str) -> str:
    """What calicoctl's table says about a peer. A long cell continues in the next row."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if f"| {address} " in line:
            more = [row for row in lines[index + 1 : index + 2] if row.startswith("|") and not row[1:16].strip()]
            return " ".join(" ".join(row.split("|")[-2].strip() for row in (line, *more)).split())
    return ""


def all_sessions_up(runner: TourRunner, text: str) -> bool:
    """Whether BIRD on ingress has all its sessions established, in ``show protocols``."""
    up = {line.split()[0] for line in text.splitlines() if line.rstrip().endswith("Established")}
    return {neighbor.name for neighbor in runner.lab.neighbors(runner.lab.ingress)} <= up


def _nodes(runner: TourRunner) -> None:
    text = runner.run(kubectl("get nodes"), r"\bReady\b", r"\bNotReady\b")
    ready = [line.split()[0] for line in text.splitlines() if line.split()[1:2] == ["Ready"]]
    wanted = [node.name for node in runner.lab.nodes]
    runner.claim(f"all {len(wanted)} nodes are Ready", set(wanted) <= set(ready), f"Ready: {comma_list(ready)}")


def _refused(runner: TourRunner) -> None:
    peer = runner.lab.peers[0]
    start = shell(peer.name, "systemctl start bird")
    runner.undo_later("bird", start)
    runner.run(shell(peer.name, "systemctl stop bird"))
    status = calicoctl("node status")
    address = str(peer.address)
    text = runner.run(
        status,
        rf"{exactly(address)}.*(Active|Connect|Idle|OpenSent|refused).*",
        r"\|\s+\| refused.*",
        until=lambda text: "efused" in session_state(text, address),
        deadline=_RECONNECT_SECONDS,
    )
    seen = session_state(text, address)
    runner.claim(
        f"the node knows {peer.name} as a peer and has no session with it",
        bool(seen) and "Established" not in seen,
        seen,
    )
    runner.claim("the connection is refused: nothing listens there", "refused" in seen.lower(), seen)
    runner.run(start)
    runner.undone("bird")
    again = runner.ask(shell(peer.name, "systemctl is-active bird || true")).strip()
    runner.claim("BIRD runs again", again == "active", again)


def _blocks(runner: TourRunner) -> None:
    runner.run(kubectl("describe blockaffinities"), r"Cidr: +\S+", r"Node: +\S+", r"State: +\S+")
    found = blocks_by_node(runner)
    nodes = [node.name for node in runner.lab.nodes]
    network = runner.lab.network
    words = comma_list(f"{name} {found.get(name, 'none')}" for name in nodes)
    runner.claim("each node has its own block", len({found.get(n) for n in nodes} - {None}) == len(nodes), words)
    cidrs = [IPv4Network(cidr) for cidr in found.values()]
    fits = all(cidr.prefixlen == network.block_size and cidr.subnet_of(network.pod_cidr) for cidr in cidrs)
    runner.claim(f"each block is a /{network.block_size} of {network.pod_cidr}", fits and bool(found))


STOPS = (
    Stop(
        "nodes",
        "The nodes of the cluster",
        "The lab has three kinds of machines: a control plane, workers, and ingress. Only the first two are nodes of "
        "Kubernetes. ingress is not in this list: it is outside the cluster, and that is the point of the whole lab.",
        _nodes,
    ),
    Stop(
        "refused",
        "BGP before BIRD runs: the nodes connect, nothing answers",
        "Calico on every node wants to tell ingress which pods it has. We stop BIRD on ingress for a moment, as if it "
        "was not configured yet. The nodes still have sessions with each other (the mesh), but ingress refuses the "
        "connection. Without a session, ingress has no route to any pod.",
        _refused,
    ),
    Stop(
        "blocks",
        "Each node has a block of the pod network",
        "Calico divides the pod network into blocks and gives each node one. A pod gets its address from the block of "
        "the node on which it runs, so one route per node is enough to reach every pod: the routing table contains "
        "blocks, not pods.",
        _blocks,
    ),
)
