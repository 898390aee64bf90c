"""Layer bgp: the sessions, from both ends: each node with ingress, or with the router, and the router with ingress; and
each node with each other node (the mesh).
"""

from __future__ import annotations

from collections.abc import Iterable

from labctl.checks.check import CheckId, Layer, Lesson, Outcome, counted, failed, listed, passed
from labctl.checks.declare import (
    Declaration,
    Declarations,
    Subject,
    adds_to,
    answers,
    each_outside,
    machine_state,
    named,
    pairs_of_nodes,
)
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.why_no_session import session_at, why_no_session
from labctl.checks.why_unit_is_down import unit_state, why_unit_is_down
from labctl.facts.bird import BirdOptions, BirdProtocols, birdc
from labctl.facts.systemd import BIRD_UNIT
from labctl.model.lab import Lab, Machine, Mesh

CHECKS = Declarations(Layer.BGP)
check = adds_to(CHECKS, Declaration)
_LESSON = Lesson(
    "`birdc show protocols` does not say Established, and the routes of this session disappear after its hold time.",
    "Both ends must run, know each other's address and AS number, and reach each other on TCP port 179.",
    "Fix the end that is named. BIRD tries again by itself every few seconds.",
)


def session_id(here: Machine, there: Machine) -> CheckId:
    """The id of the session as BIRD on ``here`` sees it."""
    return Layer.BGP.check(here.name, there.name)


def own_bird(machine: Machine) -> tuple[CheckId, CheckId]:
    """BIRD on a machine outside the cluster: that it runs, and its configuration."""
    return Layer.BGP.check(machine=machine.name), Layer.BGP.check("config", machine.name)


def daemon(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """birdc gets an answer on that machine."""
    name = machine.name
    try:
        facts.on(name)[BirdProtocols]
    except MissingFact as missing:
        unit = unit_state(facts, name, BIRD_UNIT)
        if unit and not unit.running:
            return failed(str(missing), why_unit_is_down(facts, name, unit))
        return failed(
            str(missing),
            f"BIRD on {name} runs but does not answer birdc",
            f"labctl ssh {name} -- systemctl status bird",
        )
    return passed(counted(len(facts.on(name)[BirdProtocols].sessions), "session"))


check(
    "",
    daemon,
    on=each_outside,
    reads=(BirdProtocols,),
    title="BIRD runs on {machine}",
    expected="BIRD answers birdc",
    command="birdc show status",
    lesson=_LESSON,
)


def configured(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Every neighbor has a session in BIRD's configuration, with the lab's AS numbers."""
    hint = f"labctl ssh {machine.name} -- cat /etc/bird/bird.conf"
    here = facts.on(machine.name)
    wrong = []
    for other in lab.neighbors(machine):
        session = here[BirdProtocols].with_peer(other.address)
        if session is None:
            wrong.append(f"no session with {other.name} ({other.address})")
        elif session.local_as != lab.as_number(machine):
            wrong.append(f"{session.name}: local AS is {session.local_as}, not {lab.as_number(machine)}")
        elif session.peer_as != lab.as_number(other):
            wrong.append(f"{session.name}: neighbor AS is {session.peer_as}, not {lab.as_number(other)}")
    kinds = here[BirdProtocols].kinds
    if "Device" not in kinds:
        wrong.insert(0, "no `protocol device`, so BIRD knows no interface")
    known = {item.address for item in lab.machines}
    foreign = [item for item in here[BirdProtocols].sessions if item.peer is not None and item.peer not in known]
    wrong += [f"session {item.name} is with {item.peer}, which is not a machine of the lab" for item in foreign]
    if wrong:
        return failed(listed(wrong), f"bird.conf on {machine.name} is wrong: {listed(wrong)}", hint)
    return passed(f"{counted(len(lab.neighbors(machine)), 'session')} with the lab's AS numbers")


def _whom(lab: Lab, here: Machine) -> str:
    if here in lab.peers:
        return "every node"
    return f"its session with {listed(other.name for other in lab.neighbors(here))}"


def _sessions(lab: Lab, here: Machine) -> str:
    sessions = "a session per node" if here in lab.peers else "one session"
    return f"{sessions}, AS {lab.as_number(here)} here and {lab.as_number(lab.neighbors(here)[0])} there"


check(
    "config",
    configured,
    on=each_outside,
    reads=(BirdProtocols,),
    title=lambda lab, here: f"BIRD on {here.name} is configured for {_whom(lab, here)}",
    expected=_sessions,
    command="birdc show protocols all",
    lesson=Lesson(
        "`birdc show protocols` lacks a node, or names one that does not exist.",
        "A session needs both ends' addresses and AS numbers in both ends' configuration.",
        "Correct bird.conf and have BIRD read it: `birdc configure`.",
    ),
    explained_by=lambda _lab, here: (own_bird(here)[0],),
)


def _each_session(lab: Lab, facts: Facts) -> Iterable[Subject]:
    """Both ends of each session: of the machines outside the cluster (the router's with ingress are ingress's), and of
    the mesh.
    """
    for here in lab.outside:
        others = [other for other in lab.neighbors(here) if other not in lab.ingresses]
        for other in others:
            yield Subject(lab, (here, other), here.name, (here.name, other.name))
        for other in others:
            yield Subject(lab, (other, here), other.name, (other.name, here.name))
    if lab.bgp.mesh is Mesh.FULL:
        yield from pairs_of_nodes(lab, facts)


def established(facts: Facts, lab: Lab, here: Machine, there: Machine) -> Outcome:
    """BIRD on ``here`` has an established session with ``there``."""
    facts.on(here.name)[BirdProtocols]
    session = session_at(facts, here, there)
    if session and session.established:
        return passed(f"Established since {session.since}")
    return failed(session.words if session else "no such session", why_no_session(facts, lab, here, there))


def _title(lab: Lab, here: Machine, there: Machine) -> str:
    if here in lab.outside:
        return f"BIRD has an established session with {there.name}"
    return f"{here.name} has a session with {there.name}"


def _command(lab: Lab, here: Machine, there: Machine) -> str:
    return birdc(here, lab.source, f"show protocols {there.name}" if here in lab.outside else "show protocols")


def _explains_session(lab: Lab, here: Machine, there: Machine) -> Iterable[CheckId]:
    """One end of a session explains the other; in the mesh, a node's session outside explains the others."""
    if here.is_node and there.is_node:
        yield from (session_id(lab.peers[0], node) for node in (here, there))
        first = min(here, there, key=lambda node: node.name)
    else:
        first = here if here in lab.ingresses or there not in lab.outside else there
        yield from own_bird(first)
    if first is there:
        yield session_id(there, here)
    yield from _explains_ends(lab, here, there)


def _explains_ends(lab: Lab, *ends: Machine) -> Iterable[CheckId]:
    """What a session depends on at both ends, and the BGPPeer objects that create it."""
    yield from machine_state(ends)
    nodes = [end for end in ends if end.is_node]
    for node in nodes:
        yield from (Layer.CALICO.check("agent", node.name), Layer.CLUSTER.check("node", node.name))
    yield from (Layer.CALICO.check("kinds"), Layer.CALICO.check("bgp"))
    if nodes:
        peers = [peer for peer in lab.peers if peer in ends] or lab.peers
        yield from (Layer.CALICO.check("peer", named(peer)) for peer in peers)


def _both_answer(_lab: Lab, here: Machine, there: Machine) -> Iterable[CheckId]:
    return (answers(there), answers(here))


check(
    "",
    established,
    on=_each_session,
    reads=(BirdProtocols, BirdOptions),
    title=_title,
    expected="Established",
    command=_command,
    lesson=_LESSON,
    needs=_both_answer,
    explained_by=_explains_session,
)
