"""What watch shows, before it is drawn: verify's verdict, the picture and tables. Pure data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeVar

from labctl.checks.application import APP_NAMESPACE, app_endpoints
from labctl.checks.check import Status, counted
from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.checks.report import Report
from labctl.facts.bird import BirdProtocols
from labctl.facts.cluster import Pod
from labctl.facts.fact import ParseError
from labctl.facts.haproxy import HaproxyStatistics, ServerStatus
from labctl.facts.ip import Routes
from labctl.graph.live import picture_of_facts
from labctl.graph.picture import Picture
from labctl.model.lab import Lab, Machine, Role


@dataclass(frozen=True, slots=True)
class Verdict:
    """state: ok, broken, or looking while verify has not said anything yet.

    title: the headline; of a broken lab the first root cause. check: its id. failed: what does not hold, and what was
    seen instead. hint: the command to type next. others: further root causes. counts: how many checks came out how.
    looking: something has changed since, and verify looks again.
    """

    state: str
    title: str
    check: str = ""
    failed: str = ""
    hint: str = ""
    others: tuple[str, ...] = ()
    counts: str = ""
    looking: bool = False


LOOKING = Verdict("looking", "Looking at the lab …", looking=True)


def verdict_of(report: Report, *, looking: bool = False) -> Verdict:
    """The headline of a report."""
    words = [f"{report.count(Status.PASS)} checks pass"]
    for status, word in ((Status.FAIL, "failed"), (Status.BLOCKED, "blocked")):
        if report.count(status):
            words.append(f"{report.count(status)} {word}")
    counts = ", ".join(words)
    if report.ok:
        return Verdict("ok", "Everything works", counts=counts, looking=looking)
    first, *others = [report.result(id_) for id_ in report.root_causes]
    return Verdict(
        "broken",
        title=_sentence(first.outcome.cause or first.outcome.observed),
        check=str(first.id),
        failed=f"does not hold: {first.check.title} ({first.outcome.observed})",
        hint=first.outcome.hint,
        others=tuple(f"{other.id}: {other.outcome.cause or other.outcome.observed}" for other in others[:3])
        + ((f"and {counted(len(others) - 3, 'more root cause')}",) if len(others) > 3 else ()),
        counts=counts,
        looking=looking,
    )


def _sentence(words: str) -> str:
    """Words of people begin with a capital; a name (bird.service, worker1) stays as it is."""
    first = words.partition(" ")[0]
    return words[:1].upper() + words[1:] if first.isalpha() else words


Item = TypeVar("Item")

GOOD, BAD, WAIT, PLAIN, NUMBER = "good", "bad", "wait", "", "number"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table. mood: good, bad, wait, number, or nothing in particular."""

    text: str
    mood: str = PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """A table. name: for the page's ids. empty: what is said where there are no rows."""

    name: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is shown at one moment."""

    lab: str
    verdict: Verdict
    picture: Picture
    tables: tuple[Table, ...]


def make_view(lab: Lab, facts: Facts, verdict: Verdict) -> View:
    """The view of these facts. Never raises for what is broken in the lab."""
    ingresses = tuple(machine for machine in lab.machines if machine.role is Role.INGRESS)
    tables = (
        _sessions(lab, facts),
        _routes(lab, facts),
        _pods(lab, facts),
        _servers(facts, ingresses),
    )
    return View(lab.name, verdict, picture_of_facts(lab, facts), tables)


def known(read: Callable[[], tuple[Item, ...]]) -> tuple[Item, ...] | None:
    """What the facts say; None where they say nothing."""
    try:
        return read()
    except (MissingFact, ParseError):
        return None


def _sessions(lab: Lab, facts: Facts) -> Table:
    rows = [
        (*_where(lab.outside, here), Cell(other.name), *_session(facts.on(here.name), other))
        for here in lab.outside
        for other in lab.neighbors(here)
    ]
    headings = (*_where_heading(lab.outside), "with" if lab.router else "node", "state", "since", "routes")
    return Table("sessions", f"BGP sessions of BIRD on {_speakers(lab)}", headings, tuple(rows), "")


def _speakers(lab: Lab) -> str:
    return "router and ingress" if lab.router else "ingress"


def _session(ingress: MachineFacts, node: Machine) -> tuple[Cell, Cell, Cell]:
    sessions = known(lambda: ingress[BirdProtocols].sessions)
    if sessions is None:
        why = "BIRD does not run" if ingress.reachable else "not known"
        return Cell(why, BAD), Cell(""), Cell("")
    session = next((session for session in sessions if session.peer == node.address), None)
    if session is None:
        return Cell("no such session", BAD), Cell(""), Cell("")
    mood = GOOD if session.established else BAD
    return Cell(session.words, mood), Cell(session.since.split(".")[0]), Cell(str(session.imported), NUMBER)


def _routes(lab: Lab, facts: Facts) -> Table:
    names = {machine.address: machine.name for machine in lab.machines}
    rows = [
        (
            *_where(lab.outside, here),
            Cell(str(route.destination)),
            Cell(", ".join(names.get(gateway, str(gateway)) for gateway in route.gateways)),
            Cell(route.protocol),
        )
        for here in lab.outside
        for route in known(lambda here=here: facts.on(here.name)[Routes]) or ()  # type: ignore[misc]
        if route.destination.subnet_of(lab.network.pod_cidr)
    ]
    headings = (*_where_heading(lab.outside), "block of pods", "by way of", "from")
    return Table(
        "routes",
        f"Routes to pods in the kernel of {_speakers(lab)}",
        headings,
        tuple(rows),
        "none: no pod can be reached",
    )


def _pods(lab: Lab, facts: Facts) -> Table:
    mine = {endpoint.pod for endpoint in app_endpoints(facts, lab)}
    pods = [
        pod
        for pod in facts.cluster.pods
        if not pod.host_network and (pod.name in mine or pod.namespace == APP_NAMESPACE)
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
    answers = "pods" not in facts.cluster.errors
    return Table(
        "pods", "Pods", ("pod", "node", "address", "state"), rows, "none" if answers else "the API does not answer"
    )


def _pod_state(pod: Pod) -> Cell:
    if pod.deleting:
        return Cell("ending", WAIT)
    if pod.ready:
        return Cell("ready", GOOD)
    return Cell("not ready" if pod.phase == "Running" else pod.phase or "unknown", WAIT)


def _servers(facts: Facts, ingresses: tuple[Machine, ...]) -> Table:
    pods = {str(pod.address): pod.name for pod in facts.cluster.pods if not pod.host_network and pod.address}
    rows = []
    for ingress in ingresses:
        for server in known(lambda ingress=ingress: facts.on(ingress.name)[HaproxyStatistics].servers) or ():  # type: ignore[misc]
            if server.spare:
                continue
            address = server.address.split(":")[0]
            rows.append(
                (
                    *_where(ingresses, ingress),
                    Cell(server.name),
                    Cell(pods.get(address, address)),
                    Cell(" ".join((server.status, server.check)).strip(), _server_mood(server)),
                    Cell(str(server.requests), NUMBER),
                )
            )
    headings = (*_where_heading(ingresses), "server", "pod", "state", "requests")
    return Table("servers", "HAProxy's servers", headings, tuple(rows), "none")


def _server_mood(server: ServerStatus) -> str:
    """UP 2/3 means: takes requests, and the last check failed."""
    if not server.takes_requests:
        return WAIT if server.in_maintenance else BAD
    return WAIT if "/" in server.status else GOOD


def _where(ingresses: tuple[Machine, ...], ingress: Machine) -> tuple[Cell, ...]:
    """The column that tells several ingresses apart; none where there is one."""
    return (Cell(ingress.name),) if len(ingresses) > 1 else ()


def _where_heading(ingresses: tuple[Machine, ...]) -> tuple[str, ...]:
    return ("on",) if len(ingresses) > 1 else ()
