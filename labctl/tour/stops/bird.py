"""Stops on ingress: BIRD's configuration, its sessions and routes, and the kernel's table."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.errors import LabctlError
from labctl.facts.birdc import Route, parse_routes
from labctl.facts.fact import ParseError
from labctl.model.lab import Machine
from labctl.tour.stop import Guide, Stop, birdc, calicoctl, shell
from labctl.tour.stops.cluster import all_sessions_up, session_lines
from labctl.tour.stops.known import blocks, listed, whole


def _filter(guide: Guide) -> None:
    lab, network = guide.lab, guide.lab.network
    rule = f"import where net ~ [ {network.pod_cidr}{{{network.block_size},{network.block_size}}} ]"
    text = guide.run(
        shell(lab.ingress.name, "cat /etc/bird/bird.conf"),
        r"import where .*",
        r"protocol bgp \w+",
        r"neighbor .*",
    )
    guide.claim(f"only /{network.block_size} blocks of {network.pod_cidr} are let in", rule in text, rule)
    wanted = {f"neighbor {one.address} as {lab.as_number(one)};": one.name for one in lab.neighbors(lab.ingress)}
    missing = [name for line, name in wanted.items() if line not in text]
    claimed = "there is a neighbor for each node" if lab.router is None else f"{lab.router.name} is the only neighbor"
    alone = lab.router is None or text.count("neighbor ") == len(wanted)
    guide.claim(claimed, not missing and alone, f"missing: {listed(missing)}" if missing else "")


def _restart(guide: Guide) -> None:
    ingress = guide.lab.ingress.name
    start = shell(ingress, "systemctl start bird")
    guide.must_undo("bird", start)
    guide.run(shell(ingress, "systemctl restart bird"))
    text = guide.run(shell(ingress, "systemctl is-active bird"), r"^active$")
    guide.undone("bird")
    guide.claim("BIRD is active", text.strip() == "active", text.strip())


def _sessions(guide: Guide) -> None:
    text = guide.run(
        birdc(guide.lab.ingress.name, "show protocols"),
        r"\bEstablished\b",
        until=lambda text: all_sessions_up(guide, text),
        deadline=30.0,
    )
    count = len(guide.lab.neighbors(guide.lab.ingress))
    claimed = f"all {count} sessions are Established" if count > 1 else "the session is Established"
    guide.claim(claimed, all_sessions_up(guide, text))


def _routes(guide: Guide) -> None:
    lab = guide.lab
    for teller in lab.workers[:2] if lab.router is None else [lab.router]:
        told = [worker for worker in lab.workers[:2] if lab.next_hop(lab.ingress, worker) == teller]
        _routes_of(guide, teller, told)


def _routes_of(guide: Guide, teller: Machine, workers: Sequence[Machine]) -> None:
    """What one session brought: the blocks of these workers, with whoever told of them as next hop."""
    known = blocks(guide)
    wanted = {worker.name: known.get(worker.name, "") for worker in workers}
    text = guide.run(
        birdc(guide.lab.ingress.name, f"show route protocol {teller.name}"),
        *map(whole, wanted.values()),
        rf"via {whole(str(teller.address))}",
        until=lambda text: all(block and block in text for block in wanted.values()),
    )
    for name, block in wanted.items():
        found = [route for route in _parsed(text) if str(route.network) == block]
        ways = [str(hop.gateway) for route in found for hop in route.next_hops]
        what = block or "its block" if name == teller.name else f"{name}'s block {block}"
        guide.claim(f"{teller.name} told of {what}, by way of itself", ways == [str(teller.address)], listed(ways))


def _parsed(text: str) -> tuple[Route, ...]:
    try:
        return parse_routes(text)
    except ParseError as error:
        raise LabctlError("this is not what birdc prints", why=str(error)) from error


def _kernel(guide: Guide) -> None:
    lab, known = guide.lab, blocks(guide)
    wanted = {f"{known.get(node.name)} via {lab.next_hop(lab.ingress, node).address}": node.name for node in lab.nodes}
    text = guide.run(
        shell(lab.ingress.name, "ip route"),
        r".* proto bird\b",
        until=lambda text: all(route in text for route in wanted),
    )
    missing = [name for route, name in wanted.items() if route not in text]
    guide.claim(
        "the kernel has a route to each node's block", not missing, f"missing: {listed(missing)}" if missing else ""
    )
    guide.claim("BIRD put them there", text.count("proto bird") >= len(wanted))


def _established(guide: Guide) -> None:
    peer = guide.lab.peers[0]
    address = str(peer.address)
    text = guide.run(
        calicoctl("node status"),
        rf"{whole(address)}.*Established",
        until=lambda text: session_lines(text, address) == "Established",
        deadline=30.0,
    )
    seen = session_lines(text, address)
    guide.claim(f"the node has a session with {peer.name}, {address}", seen == "Established", seen)


STOPS = (
    Stop(
        "filter",
        "BIRD's configuration: who may tell us what",
        "BIRD on ingress gets one `protocol bgp` per node. The import filter matters most: it lets in blocks of the "
        "pod network and nothing else, so that no node can send ingress a default route by mistake. `export none`: "
        "ingress listens and tells nothing. (The article names each node's block in a filter of its own; the rule here "
        "is the same for every node and needs no change when a node gets another block.)",
        _filter,
    ),
    Stop(
        "restart",
        "Restart BIRD",
        "A changed bird.conf takes effect when BIRD reads it again. The article restarts the service; `birdc "
        "configure` would do the same without ending the sessions.",
        _restart,
    ),
    Stop(
        "sessions",
        "The sessions as BIRD sees them",
        "One line per protocol. Established means: both sides agreed on AS numbers and hold time, and now exchange "
        "routes. A fresh session takes a second or two.",
        _sessions,
    ),
    Stop(
        "bird-routes",
        "What each node told BIRD",
        "Every node announces its own block, with itself as the next hop. BIRD is asked per session, so that we see "
        "who said what.",
        _routes,
    ),
    Stop(
        "kernel",
        "The kernel's table follows",
        "HAProxy knows nothing of BGP. It opens a TCP connection to a pod's address, and the kernel asks its table "
        "where that is. BIRD's kernel protocol writes the routes there; `proto bird` is its signature.",
        _kernel,
    ),
    Stop(
        "established",
        "The same session from the other end",
        "Back on the control plane: the peer that was refused is Established now.",
        _established,
    ),
)
