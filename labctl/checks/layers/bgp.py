"""Layer bgp: the sessions, from both ends: each node with ingress, or with the router, and that one with ingress; and
each node with each other node (the mesh).
"""

from __future__ import annotations

from itertools import permutations

from labctl.checks.causes import unit_state, why_unit_is_down
from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.layers.beneath import machine_ids
from labctl.checks.subjects import of_machine
from labctl.checks.why_no_session import session_at, why_no_session
from labctl.facts.bird import BirdProtocols, birdc
from labctl.facts.systemd import BIRD_UNIT
from labctl.model.lab import Lab, Machine, Mesh


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """All checks of this layer."""
    found = [check for machine in lab.outside for check in _of_outside(lab, machine)]
    if lab.bgp.mesh is Mesh.FULL:
        found += [_mesh_check(lab, here, there) for here, there in permutations(lab.nodes, 2)]
    return found


def _of_outside(lab: Lab, here: Machine) -> list[Check]:
    """BIRD on a machine outside the cluster, and both ends of its sessions; the router's with ingress are ingress's."""
    own = (f"bgp.{here.name}", f"bgp.config.{here.name}")
    found = [_daemon_check(here), _configuration_check(lab, here)]
    others = [other for other in lab.neighbors(here) if other not in lab.ingresses]
    found += [_session_check(lab, here, other, own) for other in others]
    found += [_session_check(lab, other, here, (_id(here, other), *own)) for other in others]
    return found


def _id(here: Machine, there: Machine) -> str:
    return f"bgp.{here.name}.{there.name}"


def _beneath(*machines: Machine) -> tuple[str, ...]:
    """What each end's session stands on."""
    ends = machine_ids(machines)
    nodes = [machine.name for machine in machines if machine.is_node]
    agents = [f"{kind}.{name}" for name in nodes for kind in ("calico.agent", "cluster.node")]
    return (*ends, *agents)


def _daemon_check(here: Machine) -> Check:
    name = here.name
    return Check(
        id=f"bgp.{name}",
        layer=Layer.BGP,
        machine=name,
        title=f"BIRD runs on {name}",
        expected="BIRD answers birdc",
        command="birdc show status",
        run=lambda facts, _lab: daemon(facts, name),
        probe="protocols",
        needs=(f"machine.{name}",),
    )


def daemon(facts: Facts, name: str) -> Outcome:
    """birdc gets an answer on that machine."""
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


def _configuration_check(lab: Lab, here: Machine) -> Check:
    whom = (
        "every node" if here in lab.peers else f"its session with {listed(other.name for other in lab.neighbors(here))}"
    )
    sessions = "a session per node" if here in lab.peers else "one session"
    return Check(
        id=f"bgp.config.{here.name}",
        layer=Layer.BGP,
        machine=here.name,
        title=f"BIRD on {here.name} is configured for {whom}",
        expected=f"{sessions}, AS {lab.as_number(here)} here and {lab.as_number(lab.neighbors(here)[0])} there",
        command="birdc show protocols all",
        run=lambda facts, _lab: configured(facts, lab, here),
        probe="protocols",
        needs=(f"machine.{here.name}",),
        explained_by=(f"bgp.{here.name}",),
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
    wrong += [f"session {item.name} is with {item.peer}, which is no machine of the lab" for item in foreign]
    if wrong:
        return failed(listed(wrong), f"bird.conf on {machine.name} is wrong: {listed(wrong)}", hint)
    return passed(f"{counted(len(lab.neighbors(machine)), 'session')} with the lab's AS numbers")


def _session_check(lab: Lab, here: Machine, there: Machine, first: tuple[str, ...]) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return established(facts, lab, here, there)

    needs = (f"machine.{there.name}", f"machine.{here.name}")
    subject = f"show protocols {there.name}" if here in lab.outside else "show protocols"
    return Check(
        id=_id(here, there),
        layer=Layer.BGP,
        machine=here.name,
        title=f"BIRD has an established session with {there.name}"
        if here in lab.outside
        else f"{here.name} has a session with {there.name}",
        expected="Established",
        command=birdc(here, lab.source, subject),
        run=run,
        probe="protocols",
        needs=needs,
        explained_by=(*first, *_beneath(here, there), "calico.kinds", "calico.bgp", *_peers(lab, here, there)),
    )


def _peers(lab: Lab, *ends: Machine) -> list[str]:
    """The checks of the BGPPeer objects that bring the session between these ends about, if any does."""
    if not any(end.is_node for end in ends):
        return []
    peers = [peer for peer in lab.peers if peer in ends] or lab.peers
    return [of_machine("calico.peer", peer) for peer in peers]


def _mesh_check(lab: Lab, here: Machine, there: Machine) -> Check:
    first = tuple(_id(lab.peers[0], node) for node in (here, there))
    other_end = () if here.name < there.name else (_id(there, here),)
    return _session_check(lab, here, there, (*first, *other_end))


def established(facts: Facts, lab: Lab, here: Machine, there: Machine) -> Outcome:
    """BIRD on ``here`` has an established session with ``there``."""
    facts.on(here.name)[BirdProtocols]
    session = session_at(facts, here, there)
    if session and session.established:
        return passed(f"Established since {session.since}")
    return failed(session.words if session else "no such session", why_no_session(facts, lab, here, there))
