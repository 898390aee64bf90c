"""What bench path found, as tables and data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labctl.bench.figures import Figures, Spread, Table, number, ratios, shown, spread
from labctl.bench.path.layouts import EXTERNAL, LAYOUTS, TRADITIONAL
from labctl.bench.path.load import CONNECTIONS, THREADS, client
from labctl.bench.path.measure import PERCENTILES, Found, Round, in_the_way
from labctl.bench.path.trace import RequestPath
from labctl.model.lab import Lab


@dataclass(frozen=True, slots=True)
class Measure:
    """One quantity, measured once per round. more_is_better: for the plot's words."""

    key: str
    title: str
    unit: str
    value: Callable[[Round], float]
    more_is_better: bool = False


def _latency(percent: int) -> Measure:
    return Measure(f"p{percent}", f"latency p{percent}", "ms", lambda one: one.latency[percent] / 1000)


MEASURES = (
    *(_latency(percent) for percent in PERCENTILES),
    Measure("throughput", "throughput at saturation", "requests/s", lambda one: one.throughput, more_is_better=True),
    Measure("cpu_paced", "CPU per request, fixed rate", "µs", lambda one: one.cpu_paced),
    Measure("cpu_saturated", "CPU per request, saturation", "µs", lambda one: one.cpu_saturated),
    Measure("processors", "processors in use, saturation", "", lambda one: one.throughput * one.cpu_saturated / 1e6),
)


def values(found: Found, measure: Measure) -> dict[str, list[float]]:
    """A quantity's values, round by round, by the layout's name."""
    return {name: [measure.value(one) for one in rounds] for name, rounds in found.rounds.items()}


def figures(lab: Lab, found: Found) -> Figures:
    """Tables of what is in the way, and of what it costs."""
    return Figures(
        name="path",
        title="Two layouts: the controller outside the cluster, and in it",
        conditions=found.conditions,
        tables=(_paths_table(found), _costs_table(found)),
        notes=_notes(lab, found),
        data=_data(lab, found),
    )


def _paths_table(found: Found) -> Table:
    rows = [
        _paths_row("proxies", found, lambda path: str(path.proxies)),
        _paths_row("TCP connections", found, lambda path: str(len(path.connections))),
        _paths_row("address translations", found, lambda path: str(path.translations)),
        _paths_row("from machine to machine", found, lambda path: str(path.links)),
        _paths_row("an extra node on the way", found, lambda path: "yes" if path.extra_node else "no"),
        _paths_row("the client, as the pod sees it", found, lambda path: path.client_seen or "nobody"),
    ]
    columns = ("in the way of a request", *(layout.name for layout in LAYOUTS))
    return Table(columns, tuple(rows), f"Traced: {found.options.traced} requests each")


def _paths_row(what: str, found: Found, look: Callable[[RequestPath], str]) -> tuple[str, ...]:
    return (what, *(_counted([look(path) for path in found.paths[layout.name]]) for layout in LAYOUTS))


def _counted(seen: Sequence[str]) -> str:
    """Each different word, and how often, where they are not all the same."""
    kinds = sorted(set(seen))
    if len(kinds) == 1:
        return kinds[0]
    return ", ".join(f"{kind} ({seen.count(kind)} of {len(seen)})" for kind in kinds)


def _costs_table(found: Found) -> Table:
    rows = []
    for measure in MEASURES:
        per = values(found, measure)
        both = [shown(spread(per[layout.name]), measure.unit) for layout in LAYOUTS]
        rows.append((measure.title, *both, shown(_ratio(per))))
    options = found.options
    columns = ("what it costs", *(layout.name for layout in LAYOUTS), f"{TRADITIONAL.name} / {EXTERNAL.name}")
    title = f"Measured: {options.rounds} rounds, median (lowest-highest); fixed rate {options.rate} requests/s"
    return Table(columns, tuple(rows), title)


def _ratio(per: dict[str, list[float]]) -> Spread:
    return ratios(per[TRADITIONAL.name], per[EXTERNAL.name])


def _notes(lab: Lab, found: Found) -> tuple[str, ...]:
    options = found.options
    every = [one for rounds in found.rounds.values() for one in rounds]
    machines = ", ".join(machine.name for machine in in_the_way(lab))
    lowest = min(one.achieved for one in every)
    return (
        f"External: {EXTERNAL.title}. Traditional: {TRADITIONAL.title}. Both serve the same pods by the same Ingress, "
        "with the same HAProxy and the same controller, on the same machines.",
        *(f"One traced request, {layout.name}: {described(found.paths[layout.name][-1], lab)}" for layout in LAYOUTS),
        "tcpdump on every machine shows the path: a request's first bytes with the same TCP sequence number are the "
        "same connection, with other addresses a translation (kube-proxy), with another number a proxy.",
        f"The client is wrk on {client(lab).name}, which has no pod of the application and neither proxy. By turns in "
        f"every round: {options.seconds} s at a fixed rate on {THREADS} connections, {options.seconds} s at saturation "
        f"on {CONNECTIONS}. The load balancer is a second HAProxy on {lab.ingress.name}, by connection (mode tcp); the "
        "pod's programs are those of its node, mounted read-only.",
        "At the fixed rate a request that had to wait for a connection counts from when it should have been sent "
        f"(no coordinated omission): {sum(one.late for one in every)} requests did. The lowest rate achieved was "
        f"{number(lowest)} of {options.rate} requests/s; {sum(one.errors for one in every)} requests failed.",
        f"CPU is that of {machines}, by their control groups, less what they use while nobody asks. All machines share "
        "this host's processors with the client, so throughput is that of the host, not of a machine: it follows from "
        "what a layout needs per request and from what it was given (processors in use). Where other work competes, a "
        "layout with more programs is given more, as the kernel deals out processors by control group and by program; "
        "the traditional one may then serve more requests, though each costs more. CPU per request is the fairer one.",
    )


def described(path: RequestPath, lab: Lab) -> str:
    """A request's path in words: each connection with the machines that it passes, proxies between them."""
    names = {str(machine.address): machine.name for machine in lab.machines}
    parts = []
    for connection in path.connections:
        first = connection.addresses[0]
        text = f"{_named(first[0], names)} → {_named(first[1], names, port=True)}"
        for source, destination in connection.addresses[1:]:
            text += f", translated to {_named(source, names)} → {_named(destination, names, port=True)}"
        parts.append(f"{text} (seen on {', '.join(connection.machines)})")
    return "; proxy; ".join(parts)


def _named(place: str, names: dict[str, str], *, port: bool = False) -> str:
    """tcpdump's address.port with the machine's name; of the port only where it means something."""
    address, _, number_ = place.rpartition(".")
    name = names.get(address, f"pod {address}")
    return f"{name}:{number_}" if port else name


def _data(lab: Lab, found: Found) -> dict[str, Any]:
    options = found.options
    costs = {}
    for measure in MEASURES:
        per = values(found, measure)
        each = {layout.name: spread(per[layout.name]).as_json() for layout in LAYOUTS}
        costs[measure.key] = {"unit": measure.unit, **each, "ratio": _ratio(per).as_json(), "rounds": per}
    return {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "rate": options.rate,
        "client": client(lab).name,
        "ways": {
            name: [
                {
                    "proxies": path.proxies,
                    "translations": path.translations,
                    "links": path.links,
                    "extra_node": path.extra_node,
                    "x_forwarded_for": path.client_seen,
                    "connections": [asdict(connection) for connection in path.connections],
                }
                for path in paths
            ]
            for name, paths in found.paths.items()
        },
        "costs": costs,
        "errors": sum(one.errors for rounds in found.rounds.values() for one in rounds),
    }
