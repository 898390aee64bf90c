"""What watch shows, as data: verify's verdict, the picture, and tables."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from labctl.checks.application import APP_NAMESPACE, app_endpoints
from labctl.checks.check import counted
from labctl.checks.facts import Facts, MachineFacts
from labctl.checks.report import Report
from labctl.facts.bird import BirdProtocols
from labctl.facts.cluster import Pod
from labctl.facts.haproxy import HaproxyStatistics, ServerStatus
from labctl.facts.ip import Routes
from labctl.graph.live import picture_of_facts
from labctl.graph.picture import Picture
from labctl.model.lab import Lab, Machine


@dataclass(frozen=True, slots=True)
class Verdict:
    """state: ok, broken, or checking until verify has finished once.

    title: the headline; for a broken lab the first root cause. check: its id. failed: the check that failed, and what
    was observed. hint: the command to type next. others: further root causes. counts: how many checks passed, failed
    and are blocked. checking: something has changed since, and verify is running again.
    """

    state: str
    title: str
    check: str = ""
    failed: str = ""
    hint: str = ""
    others: tuple[str, ...] = ()
    counts: str = ""
    checking: bool = False


CHECKING = Verdict("checking", "Checking the lab …", checking=True)


def verdict_of(report: Report, *, checking: bool = False) -> Verdict:
    """The headline of a report."""
    if report.ok:
        return Verdict("ok", "Everything works", counts=report.counts(), checking=checking)
    first, *others = [report.result(id_) for id_ in report.root_causes]
    return Verdict(
        "broken",
        title=_sentence(first.outcome.cause or first.outcome.observed),
        check=str(first.id),
        failed=f"failed: {first.check.title} ({first.outcome.observed})",
        hint=first.outcome.hint,
        others=tuple(f"{other.id}: {other.outcome.cause or other.outcome.observed}" for other in others[:3])
        + ((f"and {counted(len(others) - 3, 'more root cause')}",) if len(others) > 3 else ()),
        counts=report.counts(),
        checking=checking,
    )


def _sentence(words: str) -> str:
    """With a capital at the beginning, unless it begins with a name (bird.service, worker1)."""
    first = words.partition(" ")[0]
    return words[:1].upper() + words[1:] if first.isalpha() else words


GOOD, BAD, WAIT, PLAIN, NUMBER = "good", "bad", "wait", "", "number"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table. style: good, bad, wait, number, or empty."""

    text: str
    style: str = PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """A table. name: used in the page's ids. empty: shown if there are no rows."""

    name: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is shown at one time."""

    lab: str
    verdict: Verdict
    picture: Picture
    tables: tuple[Table, ...]


def make_view(lab: Lab, facts: Facts, verdict: Verdict) -> View:
    """The view of these facts. Broken parts of a lab raise nothing."""
    tables = (
        _sessions(lab, facts),
        _routes(lab, facts),
        _pods(lab, facts),
        _servers(facts, lab.ingresses),
    )
    return View(lab.name, verdict, picture_of_facts(lab, facts), tables)


def _sessions(lab: Lab, facts: Facts) -> Table:
    rows = [
        (*_machine_cell(lab.outside, here), Cell(other.name), *_session(facts.on(here.name), other))
        for here in lab.outside
        for other in lab.neighbors(here)
    ]
    headings = (*_machine_heading(lab.outside), "with" if lab.router else "node", "state", "since", "routes")
    return Table("sessions", f"BGP sessions of BIRD on {_speakers(lab)}", headings, tuple(rows), "")


def _speakers(lab: Lab) -> str:
    return "router and ingress" if lab.router else "ingress"


def _session(ingress: MachineFacts, node: Machine) -> tuple[Cell, Cell, Cell]:
    protocols = ingress.get(BirdProtocols)
    if protocols is None:
        why = "BIRD does not answer" if ingress.reachable else "unknown"
        return Cell(why, BAD), Cell(""), Cell("")
    session = next((session for session in protocols.sessions if session.peer == node.address), None)
    if session is None:
        return Cell("no such session", BAD), Cell(""), Cell("")
    style = GOOD if session.established else BAD
    return Cell(session.words, style), Cell(session.since.split(".")[0]), Cell(str(session.imported), NUMBER)


def _routes(lab: Lab, facts: Facts) -> Table:
    names = {machine.address: machine.name for machine in lab.machines}
    rows = [
        (
            *_machine_cell(lab.outside, here),
            Cell(str(route.destination)),
            Cell(", ".join(names.get(gateway, str(gateway)) for gateway in route.gateways)),
            Cell(route.protocol),
        )
        for here in lab.outside
        for route in facts.on(here.name).get(Routes) or ()
        if route.destination.subnet_of(lab.network.pod_cidr)
    ]
    headings = (*_machine_heading(lab.outside), "block", "via", "protocol")
    return Table(
        "routes",
        f"Routes to pods in the kernel of {_speakers(lab)}",
        headings,
        tuple(rows),
        "none: pods cannot be reached",
    )


def _pods(lab: Lab, facts: Facts) -> Table:
    app_pods = {endpoint.pod for endpoint in app_endpoints(facts, lab)}
    pods = [
        pod
        for pod in facts.cluster.pods
        if not pod.host_network and (pod.name in app_pods or pod.namespace == APP_NAMESPACE)
    ]
    pods.sort(key=lambda pod: (pod.node, pod.address or IPv4Address(0), pod.name))
    rows = tuple(
        (
            Cell(pod.name),
            Cell(pod.node),
            Cell(str(pod.address or "")),
            _pod_state(pod),
        )
        for pod in pods
    )
    api_answers = "pods" not in facts.cluster.errors
    return Table(
        "pods", "Pods", ("pod", "node", "address", "state"), rows, "none" if api_answers else "the API does not answer"
    )


def _pod_state(pod: Pod) -> Cell:
    if pod.deleting:
        return Cell("terminating", WAIT)
    if pod.ready:
        return Cell("ready", GOOD)
    return Cell("not ready" if pod.phase == "Running" else pod.phase or "unknown", WAIT)


def _servers(facts: Facts, ingresses: tuple[Machine, ...]) -> Table:
    pods = {str(pod.address): pod.name for pod in facts.cluster.pods if not pod.host_network and pod.address}
    rows = []
    for ingress in ingresses:
        statistics = facts.on(ingress.name).get(HaproxyStatistics)
        for server in statistics.servers if statistics else ():
            if not server.for_pod:
                continue
            address = server.address.split(":")[0]
            rows.append(
                (
                    *_machine_cell(ingresses, ingress),
                    Cell(server.name),
                    Cell(pods.get(address, address)),
                    Cell(" ".join((server.status, server.check)).strip(), _server_style(server)),
                    Cell(str(server.requests), NUMBER),
                )
            )
    headings = (*_machine_heading(ingresses), "server", "pod", "state", "requests")
    return Table("servers", "HAProxy's servers", headings, tuple(rows), "none")


def _server_style(server: ServerStatus) -> str:
    """UP 2/3 means that the server takes requests, but the last health check failed."""
    if not server.takes_requests:
        return WAIT if server.in_maintenance else BAD
    return WAIT if "/" in server.status else GOOD


def _machine_cell(machines: tuple[Machine, ...], machine: Machine) -> tuple[Cell, ...]:
    """The cell with the machine's name, if there are several."""
    return (Cell(machine.name),) if len(machines) > 1 else ()


def _machine_heading(machines: tuple[Machine, ...]) -> tuple[str, ...]:
    return ("on",) if len(machines) > 1 else ()
