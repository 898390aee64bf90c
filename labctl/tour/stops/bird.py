"""Stops on ingress: BIRD's configuration, its sessions and routes, and the kernel's table."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.errors import LabctlError
from labctl.facts.birdc import Route, parse_routes
from labctl.facts.fact import ParseError
from labctl.model.lab import Machine
from labctl.tour.runner import Stop, TourRunner, birdc, calicoctl, shell
from labctl.tour.stops.cluster import all_sessions_up, blocks_by_node, comma_list, exactly, session_state


def _filter(runner: TourRunner) -> None:
    lab, network = runner.lab, runner.lab.network
    rule = f"import where net ~ [ {network.pod_cidr}{{{network.block_size},{network.block_size}}} ]"
    text = runner.run(
        shell(lab.ingress.name, "cat /etc/bird/bird.conf"),
        r"import where .*",
        r"protocol bgp \w+",
        r"neighbor .*",
    )
    runner.claim(f"only /{network.block_size} blocks of {network.pod_cidr} are accepted", rule in text, rule)
    wanted = {f"neighbor {one.address} as {lab.as_number(one)};": one.name for one in lab.neighbors(lab.ingress)}
    missing = [name for line, name in wanted.items() if line not in text]
    claimed = "there is a neighbor for each node" if lab.router is None else f"{lab.router.name} is the only neighbor"
    no_others = lab.router is None or text.count("neighbor ") == len(wanted)
    runner.claim(claimed, not missing and no_others, f"missing: {comma_list(missing)}" if missing else "")


def _restart(runner: TourRunner) -> None:
    ingress = runner.lab.ingress.name
    start = shell(ingress, "systemctl start bird")
    runner.undo_later("bird", start)
    runner.run(shell(ingress, "systemctl restart bird"))
    text = runner.run(shell(ingress, "systemctl is-active bird"), r"^active$")
    runner.undone("bird")
    runner.claim("BIRD is active", text.strip() == "active", text.strip())


def _sessions(runner: TourRunner) -> None:
    text = runner.run(
        birdc(runner.lab, runner.lab.ingress, "show protocols"),
        r"\bEstablished\b",
        until=lambda text: all_sessions_up(runner, text),
        deadline=30.0,
    )
    count = len(runner.lab.neighbors(runner.lab.ingress))
    claimed = f"all {count} sessions are Established" if count > 1 else "the session is Established"
    runner.claim(claimed, all_sessions_up(runner, text))


def _routes(runner: TourRunner) -> None:
    lab = runner.lab
    for neighbor in lab.workers[:2] if lab.router is None else [lab.router]:
        workers = [worker for worker in lab.workers[:2] if lab.next_hop(lab.ingress, worker) == neighbor]
        _routes_of(runner, neighbor, workers)


def _routes_of(runner: TourRunner, neighbor: Machine, workers: Sequence[Machine]) -> None:
    """The routes of one session: the blocks of these workers, with the neighbor as next hop."""
    known = blocks_by_node(runner)
    wanted = {worker.name: known.get(worker.name, "") for worker in workers}
    text = runner.run(
        birdc(runner.lab, runner.lab.ingress, f"show route protocol {neighbor.name}"),
        *map(exactly, wanted.values()),
        rf"via {exactly(str(neighbor.address))}",
        until=lambda text: all(block and block in text for block in wanted.values()),
    )
    for name, block in wanted.items():
        found = [route for route in _parsed(text) if str(route.network) == block]
        next_hops = [str(hop.gateway) for route in found for hop in route.next_hops]
        what = block or "its block" if name == neighbor.name else f"{name}'s block {block}"
        claimed = f"{neighbor.name} announced {what} with itself as next hop"
        runner.claim(claimed, next_hops == [str(neighbor.address)], comma_list(next_hops))


def _parsed(text: str) -> tuple[Route, ...]:
    try:
        return parse_routes(text)
    except ParseError as error:
        raise LabctlError("birdc printed something unexpected", why=str(error)) from error


def _kernel(runner: TourRunner) -> None:
    lab, known = runner.lab, blocks_by_node(runner)
    wanted = {f"{known.get(node.name)} via {lab.next_hop(lab.ingress, node).address}": node.name for node in lab.nodes}
    text = runner.run(
        shell(lab.ingress.name, "ip route"),
        r".* proto bird\b",
        until=lambda text: all(route in text for route in wanted),
    )
    missing = [name for route, name in wanted.items() if route not in text]
    runner.claim(
        "the kernel has a route to each node's block", not missing, f"missing: {comma_list(missing)}" if missing else ""
    )
    runner.claim("BIRD installed these routes", text.count("proto bird") >= len(wanted))


def _established(runner: TourRunner) -> None:
    peer = runner.lab.peers[0]
    address = str(peer.address)
    text = runner.run(
        calicoctl("node status"),
        rf"{exactly(address)}.*Established",
        until=lambda text: session_state(text, address) == "Established",
        deadline=30.0,
    )
    seen = session_state(text, address)
    runner.claim(f"the node has a session with {peer.name}, {address}", seen == "Established", seen)


STOPS = (
    Stop(
        "filter",
        "BIRD's configuration: which routes ingress accepts",
        "BIRD on ingress has one `protocol bgp` per node. The import filter matters most: it accepts blocks of the "
        "pod network and nothing else, so that no node can send ingress a default route by mistake. `export none` "
        "means that ingress announces nothing. (In the article, each node's block has its own filter. The "
        "filter here is the same for every node and does not change when a node gets another block.)",
        _filter,
    ),
    Stop(
        "restart",
        "Restart BIRD",
        "A changed bird.conf takes effect when BIRD reads it again. The article restarts the service; `birdc "
        "configure` would do the same without closing the sessions.",
        _restart,
    ),
    Stop(
        "sessions",
        "The sessions as BIRD sees them",
        "One line per protocol. Established means that both sides agreed on AS numbers and hold time and now exchange "
        "routes. A new session takes a second or two.",
        _sessions,
    ),
    Stop(
        "bird-routes",
        "The routes that each node announced",
        "Every node announces its own block, with itself as the next hop. We ask BIRD about one session at a time, to "
        "see which node announced what.",
        _routes,
    ),
    Stop(
        "kernel",
        "The routes in the kernel",
        "HAProxy knows nothing about BGP. It opens a TCP connection to a pod's address, and the kernel looks up the "
        "route. BIRD's kernel protocol writes the routes there; they are marked `proto bird`.",
        _kernel,
    ),
    Stop(
        "established",
        "The same session from the other end",
        "Back on the control plane: the session that was refused is Established now.",
        _established,
    ),
)
