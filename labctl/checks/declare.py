"""How a check is declared: once, in the file of its layer, for everything in a lab that it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations
from typing import Any, ParamSpec

from labctl.checks.check import HOST, Check, CheckId, Layer, Lesson, Outcome
from labctl.checks.facts import Facts
from labctl.facts.cluster import Pod
from labctl.facts.fact import AnyFact
from labctl.facts.kubernetes import Api
from labctl.model.kubernetes import Endpoint
from labctl.model.lab import Lab, Machine, Role, Source

PACKETS = (
    "firewall",
    "shaping",
    "address",
    "mtu",
    "rp_filter",
    "neighbours",
    "arp",
    "forwarding",
    "default",
    "ttl",
    "connections",
)
"""Checks of a machine that explain lost packets."""
LIFE = ("processes", "disk", "memory", "clock")
"""Checks of a machine that explain why its programs do not work."""
_ON_FORWARDERS = ("forwarding", "default")

API = Layer.CLUSTER.check("api")
HOST_ROUTE = Layer.HOST.check("route")


def api_ready(*_: object) -> tuple[CheckId, ...]:
    """The API answers."""
    return (API,)


def host_route(*_: object) -> tuple[CheckId, ...]:
    """This host reaches the lab."""
    return (HOST_ROUTE,)


def answers(machine: Machine) -> CheckId:
    """The check that this machine answers over SSH."""
    return Layer.MACHINE.check(machine=machine.name)


def room(_lab: Lab, machine: Machine) -> tuple[CheckId, ...]:
    """What every program of a machine needs: disk space and memory."""
    return of_machine(machine, "disk", "memory")


def of_machine(machine: Machine, *subjects: str, layer: Layer = Layer.MACHINE) -> tuple[CheckId, ...]:
    """These checks of one machine."""
    return tuple(layer.check(subject, machine.name) for subject in subjects)


def machine_state(machines: Iterable[Machine], subjects: Iterable[str] = (*PACKETS, *LIFE)) -> tuple[CheckId, ...]:
    """These checks of these machines, where a machine has them; route.lan and route.rules with those of packets."""
    chosen = tuple(subjects)
    found: list[CheckId] = []
    for machine in machines:
        mine = [subject for subject in chosen if _has(machine, subject)]
        found += of_machine(machine, *mine)
        if "firewall" in mine:
            found += of_machine(machine, "lan", "rules", layer=Layer.ROUTE)
    return tuple(found)


def _has(machine: Machine, subject: str) -> bool:
    """A router has no certificates, and no pods that need its default route; kubeconfigs are the nodes'."""
    if subject == "kubeconfigs":
        return machine.is_node
    if subject in ("certificates", "default") and machine.role is Role.ROUTER:
        return False
    return machine.forwards or subject not in _ON_FORWARDERS


Text = str | Callable[..., str]
"""A text with fields (`{machine}`, `{lab.entry}`, `{0.name}` of the first thing that it is about), or a function."""
Ids = Callable[..., Iterable[CheckId]]


@dataclass(frozen=True, slots=True)
class Subject:
    """What one check of a lab is about.

    lab: of several ingress machines, in the view of one of them. about: what the check's functions get after the lab.
    machine: whose state is looked at. words: what follows in the id after the check's own name.
    """

    lab: Lab
    about: tuple[Any, ...] = ()
    machine: str = HOST
    words: tuple[str, ...] = ()


On = Callable[[Lab, Facts], Iterable[Subject]]


def nothing(*_: object) -> tuple[CheckId, ...]:
    """No check."""
    return ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """One check, for all that it is about.

    name: of what it looks at, in the id after the layer; empty for what the layer itself is about. run: gets the facts,
    the lab, and what the check is about. on: its subjects. title, expected, command: see Text and Check. reads: the
    facts that it reads, all of which are asked; the first one is its own question. needs: without it, that the machine
    answers; like explained_by ids, from the lab and what the check is about. stand_in: whether its subject is a
    stand-in in labs of the source debian. by_machines: whether the state of its machines explains it, too.
    second_round: whether it reads what ingress machines are asked of the pods. own_fact: its own question, where that
    has parameters.
    """

    name: str
    run: Callable[..., Outcome]
    on: On
    title: Text
    expected: Text
    command: Text
    lesson: Lesson
    reads: tuple[AnyFact, ...] = ()
    needs: Ids | None = None
    explained_by: Ids = nothing
    stand_in: bool = False
    by_machines: bool = True
    second_round: bool = False
    own_fact: Callable[..., AnyFact] | None = None

    def check(self, layer: Layer, lab: Lab, subject: Subject) -> Check:
        """The check about this subject, which is one of ``on``."""
        given = (subject.lab, *subject.about)

        def text(written: Text) -> str:
            if not isinstance(written, str):
                return written(*given)
            return written.format(*subject.about, machine=subject.machine, lab=subject.lab)

        needs = tuple(dict.fromkeys(self.needs(*given) if self.needs else _answers(subject)))
        explained = (
            *self.explained_by(*given),
            *(self._state_of_machines(layer, lab, subject, needs) if self.by_machines else ()),
        )
        *first, last = subject.words or ("",)
        own = CheckId(layer, ".".join(word for word in (self.name, *first) if word), last)
        return Check(
            id=own,
            machine=subject.machine,
            title=text(self.title),
            expected=text(self.expected),
            command=text(self.command),
            run=partial(_call, self.run, given),
            lesson=self.lesson,
            needs=needs,
            explained_by=tuple(id_ for id_ in dict.fromkeys(explained) if id_ != own),
            fact=self.own_fact(*given) if self.own_fact else next(iter(self.reads), None),
            stand_in=self.stand_in and lab.source is Source.DEBIAN,
            about=_names(subject),
        )

    def _state_of_machines(
        self, layer: Layer, lab: Lab, subject: Subject, needs: tuple[CheckId, ...]
    ) -> Iterator[CheckId]:
        """The checks of the machines that it is about: where a layer below is broken, that is the cause."""
        if layer in (Layer.HOST, Layer.MACHINE):
            return
        if lab.provider.traits.makes_bridge:
            yield Layer.HOST.check("firewall")
        names = {subject.machine, *(item.name for item in subject.about if isinstance(item, Machine))}
        if Api in self.reads or Layer.CLUSTER.check("api") in needs:
            names.add(lab.controlplane.name)
        if layer is Layer.HTTP:
            names.add(lab.ingress.name)
        machines = [machine for machine in lab.machines if machine.name in names]
        yield from machine_state(machines)
        if layer in (Layer.CLUSTER, Layer.CALICO, Layer.PROXY):
            yield from machine_state(machines, ("certificates", "kubeconfigs"))


def _names(subject: Subject) -> frozenset[str]:
    """Of the machines and pods that it is about."""
    things = [item for item in subject.about if isinstance(item, Machine | Pod)]
    pods = {item.pod for item in subject.about if isinstance(item, Endpoint)}
    return frozenset({subject.machine, *(item.name for item in things), *pods})


def _answers(subject: Subject) -> tuple[CheckId, ...]:
    return (Layer.MACHINE.check(machine=subject.machine),) if subject.machine != HOST else ()


def _call(run: Callable[..., Outcome], given: tuple[Any, ...], facts: Facts) -> Outcome:
    return run(facts, *given)


@dataclass(frozen=True, slots=True)
class Declarations:
    """The checks of one layer, in the order of its file. by_machine: all of a machine's stand together."""

    layer: Layer
    by_machine: bool = False
    found: list[Declaration] = field(default_factory=list)

    def checks(self, lab: Lab, facts: Facts, *, second_round: bool = True) -> list[Check]:
        """The checks of this lab. second_round: also those that need it."""
        found = [
            declaration.check(self.layer, lab, subject)
            for declaration in self.found
            if second_round or not declaration.second_round
            for subject in declaration.on(lab, facts)
        ]
        if self.by_machine:
            order = {machine.name: number for number, machine in enumerate(lab.machines)}
            found.sort(key=lambda check: order[check.machine])
        return found


P = ParamSpec("P")


def adds_to(checks: Declarations, declaration: Callable[P, Declaration]) -> Callable[P, None]:
    """A function that takes what ``declaration`` takes, and adds it to these checks."""

    def check(*args: P.args, **kwargs: P.kwargs) -> None:
        checks.found.append(declaration(*args, **kwargs))

    return check


def on_host(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """This host."""
    yield Subject(lab)


def on_bridge(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """This host, where the lab's machines hang on a bridge that labctl makes."""
    if lab.provider.traits.makes_bridge:
        yield Subject(lab)


def on_controlplane(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """The control plane, once."""
    yield Subject(lab, machine=lab.controlplane.name)


def _each(lab: Lab, machines: Iterable[Machine]) -> Iterator[Subject]:
    return (Subject(lab, (machine,), machine.name, (machine.name,)) for machine in machines)


def each_machine(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """Every machine."""
    return _each(lab, lab.machines)


def each_but_routers(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """Every machine that has certificates: routers have none."""
    return _each(lab, (machine for machine in lab.machines if machine.role is not Role.ROUTER))


def each_forwarder(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """Every machine that forwards packets."""
    return _each(lab, (machine for machine in lab.machines if machine.forwards))


def each_node(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """Every node of the cluster."""
    return _each(lab, lab.nodes)


def each_outside(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """Every machine outside the cluster that speaks BGP."""
    return _each(lab, lab.outside)


def each_ingress(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """Every ingress machine, the lab in its view; the first one's checks do not name it."""
    for view in views(lab):
        yield Subject(view, machine=view.ingress.name, words=("", named(view.ingress)))


def pairs_of_nodes(lab: Lab, _facts: Facts) -> Iterator[Subject]:
    """Every node with every other one."""
    for here, there in permutations(lab.nodes, 2):
        yield Subject(lab, (here, there), here.name, (here.name, there.name))


def views(lab: Lab) -> tuple[Lab, ...]:
    """The lab as each of its ingress machines sees it: what is checked of ingress is checked in each view."""
    return tuple(lab.behind(ingress) for ingress in lab.ingresses)


def named(machine: Machine) -> str:
    """The machine's name in the ids of checks that the first ingress machine has, too: its own do not name it."""
    return "" if machine.name == Role.INGRESS.value else machine.name


def at_ingress(layer: Layer, subject: str, lab: Lab) -> CheckId:
    """The id of a check that each ingress machine has, for the one of this view of the lab."""
    return CheckId(layer, subject, named(lab.ingress))
