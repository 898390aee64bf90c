"""The result of bench path as tables and data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from labctl.bench.figures import Figures, Spread, Table, format_number, format_spread, ratios, spread
from labctl.bench.path.layouts import EXTERNAL, LAYOUTS, TRADITIONAL
from labctl.bench.path.load import CONNECTIONS, THREADS, client
from labctl.bench.path.measure import PERCENTILES, PathResult, Round, measured_machines
from labctl.bench.path.trace import RequestPath
from labctl.model.lab import Lab


@dataclass(frozen=True, slots=True)
class Measure:
    """One quantity, measured once per round."""

    key: str
    title: str
    unit: str
    value: Callable[[Round], float]


def _latency(percent: int) -> Measure:
    return Measure(f"p{percent}", f"latency p{percent}", "ms", lambda one: one.latency[percent] / 1000)


MEASURES = (
    *(_latency(percent) for percent in PERCENTILES),
    Measure("throughput", "throughput at saturation", "requests/s", lambda one: one.throughput),
    Measure("cpu_paced", "CPU per request, fixed rate", "µs", lambda one: one.cpu_paced),
    Measure("cpu_saturated", "CPU per request, saturation", "µs", lambda one: one.cpu_saturated),
    Measure("processors", "processors in use, saturation", "", lambda one: one.throughput * one.cpu_saturated / 1e6),
)
_PATH_ROWS: tuple[tuple[str, Callable[[RequestPath], str]], ...] = (
    ("proxies", lambda path: str(path.proxies)),
    ("TCP connections", lambda path: str(len(path.connections))),
    ("address translations", lambda path: str(path.translations)),
    ("from machine to machine", lambda path: str(path.links)),
    ("an extra node on the way", lambda path: "yes" if path.extra_node else "no"),
    ("the client, as the pod sees it", lambda path: path.client_seen or "nobody"),
)


def values(result: PathResult, measure: Measure) -> dict[str, list[float]]:
    """The values of a quantity, round by round, by the name of the layout."""
    return {name: [measure.value(one) for one in rounds] for name, rounds in result.rounds.items()}


def ratio(by_layout: dict[str, list[float]]) -> Spread:
    """The traditional layout's values as multiples of the external one's."""
    return ratios(by_layout[TRADITIONAL.name], by_layout[EXTERNAL.name])


def figures(lab: Lab, result: PathResult) -> Figures:
    """What a request passes in each layout, and what it costs."""
    options, names = result.options, [layout.name for layout in LAYOUTS]
    path_rows = tuple(
        (what, *(_counted([read(path) for path in result.paths[name]]) for name in names)) for what, read in _PATH_ROWS
    )
    cost_rows, costs = [], {}
    for measure in MEASURES:
        by_layout = values(result, measure)
        spreads = {name: spread(by_layout[name]) for name in names}
        cells = [format_spread(item, measure.unit) for item in spreads.values()]
        cost_rows.append((measure.title, *cells, format_spread(ratio(by_layout))))
        data = {name: asdict(item) for name, item in spreads.items()}
        costs[measure.key] = {"unit": measure.unit, **data, "ratio": asdict(ratio(by_layout)), "rounds": by_layout}
    cost_columns = ("what it costs", *names, f"{TRADITIONAL.name} / {EXTERNAL.name}")
    title = f"Measured: {options.rounds} rounds, median (lowest-highest); fixed rate {options.rate} requests/s"
    return Figures(
        name="path",
        title="Two layouts: the controller outside the cluster, and in it",
        conditions=result.conditions,
        tables=(
            Table(("in the way of a request", *names), path_rows, f"Traced: {options.traced} requests each"),
            Table(cost_columns, tuple(cost_rows), title),
        ),
        notes=_notes(lab, result),
        data={
            "rounds": options.rounds,
            "seconds": options.seconds,
            "rate": options.rate,
            "client": client(lab).name,
            "ways": {name: [_path_data(path) for path in paths] for name, paths in result.paths.items()},
            "costs": costs,
            "errors": sum(one.errors for rounds in result.rounds.values() for one in rounds),
        },
    )


def _counted(texts: list[str]) -> str:
    """Each different text; with its count, if they are not all the same."""
    kinds = sorted(set(texts))
    if len(kinds) == 1:
        return kinds[0]
    return ", ".join(f"{kind} ({texts.count(kind)} of {len(texts)})" for kind in kinds)


def _path_data(path: RequestPath) -> dict[str, Any]:
    return {
        "proxies": path.proxies,
        "translations": path.translations,
        "links": path.links,
        "extra_node": path.extra_node,
        "x_forwarded_for": path.client_seen,
        "connections": [asdict(connection) for connection in path.connections],
    }


def _notes(lab: Lab, result: PathResult) -> tuple[str, ...]:
    options = result.options
    rounds = [one for rounds in result.rounds.values() for one in rounds]
    machines = ", ".join(machine.name for machine in measured_machines(lab))
    return (
        f"External: {EXTERNAL.title}. Traditional: {TRADITIONAL.title}. Both serve the same pods by the same Ingress, "
        "with the same HAProxy and the same controller, on the same machines.",
        *(
            f"One traced request, {layout.name}: {describe_path(result.paths[layout.name][-1], lab)}"
            for layout in LAYOUTS
        ),
        "tcpdump on every machine shows the path: a request with the same TCP sequence number is on the same "
        "connection, with other addresses after a translation (kube-proxy), with another number after a proxy.",
        f"The client is wrk on {client(lab).name}, which runs no pod of the application and neither proxy. Each round "
        f"has {options.seconds} s at a fixed rate on {THREADS} connections and {options.seconds} s at saturation on "
        f"{CONNECTIONS}, for each layout. The load balancer is a second HAProxy on {lab.ingress.name} (mode tcp); the "
        "pod runs the programs of its node, mounted read-only.",
        "At the fixed rate, a request that had to wait for a connection counts from when it should have been sent "
        f"(no coordinated omission): {sum(one.late for one in rounds)} requests did. The lowest rate achieved was "
        f"{format_number(min(one.achieved for one in rounds))} of {options.rate} requests/s; "
        f"{sum(one.errors for one in rounds)} requests failed.",
        f"CPU is that of {machines}, from their control groups, less what they use without requests. All machines and "
        "the client share this host's processors, so throughput depends on what a request costs and on how many "
        "processors the layout got (processors in use). Under other load the kernel gives more to the layout with more "
        "programs, so the traditional one may serve more requests although each costs more. CPU per request is the "
        "fairer measure.",
    )


def describe_path(path: RequestPath, lab: Lab) -> str:
    """A request's path in words: each connection with the machines that it passes, and the proxies between them."""
    names = {str(machine.address): machine.name for machine in lab.machines}

    def name(place: str) -> tuple[str, str]:
        """The name and the port of an address.port as tcpdump prints it."""
        address, _, port = place.rpartition(".")
        return names.get(address, f"pod {address}"), port

    parts = []
    for connection in path.connections:
        ends = [f"{name(source)[0]} → {':'.join(name(destination))}" for source, destination in connection.addresses]
        parts.append(f"{', translated to '.join(ends)} (seen on {', '.join(connection.machines)})")
    return "; proxy; ".join(parts)
