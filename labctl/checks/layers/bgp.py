"""Layer bgp: the sessions, from both ends: ingress with each node, and each node with each other node (the mesh)."""

from __future__ import annotations

from itertools import permutations

from labctl.checks.causes import unit_state, why_unit_is_down
from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.layers.beneath import machine_ids
from labctl.checks.probes import BIRD_UNIT, birdc
from labctl.checks.subjects import of_ingress, views
from labctl.checks.why_no_session import session_at, why_no_session
from labctl.model.lab import Lab, Machine, Mesh


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """All checks of this layer."""
    found = [check for view in views(lab) for check in _of_ingress(view)]
    if lab.bgp.mesh is Mesh.FULL:
        found += [_mesh_check(lab, here, there) for here, there in permutations(lab.nodes, 2)]
    return found


def _of_ingress(lab: Lab) -> list[Check]:
    """BIRD on ingress, and both ends of its sessions."""
    ingress = lab.ingress
    own = (f"bgp.{ingress.name}", f"bgp.config.{ingress.name}")
    found = [_daemon_check(lab), _configuration_check(lab)]
    found += [_session_check(lab, ingress, node, own) for node in lab.nodes]
    found += [_session_check(lab, node, ingress, (_id(ingress, node), *own)) for node in lab.nodes]
    return found


def _id(here: Machine, there: Machine) -> str:
    return f"bgp.{here.name}.{there.name}"


def _beneath(*machines: Machine) -> tuple[str, ...]:
    """What each end's session stands on."""
    ends = machine_ids(machines)
    agents = [f"calico.agent.{machine.name}" for machine in machines if machine.is_node]
    return (*ends, *agents)


def _daemon_check(lab: Lab) -> Check:
    name = lab.ingress.name
    return Check(
        id=f"bgp.{name}",
        layer=Layer.BGP,
        machine=name,
        title=f"BIRD runs on {name}",
        expected="BIRD answers birdc",
        command="birdc show status",
        run=lambda facts, _lab: daemon(facts, lab),
        probe="protocols",
        needs=(f"machine.{name}",),
    )


def daemon(facts: Facts, lab: Lab) -> Outcome:
    """birdc gets an answer."""
    name = lab.ingress.name
    try:
        facts.on(name).output("protocols")
    except MissingFact as missing:
        unit = unit_state(facts, name, BIRD_UNIT)
        if unit and not unit.running:
            return failed(str(missing), why_unit_is_down(facts, name, unit))
        return failed(
            str(missing),
            f"BIRD on {name} runs but does not answer birdc",
            f"labctl ssh {name} -- systemctl status bird",
        )
    return passed(counted(len(facts.on(name).sessions), "session"))


def _configuration_check(lab: Lab) -> Check:
    network = lab.network
    return Check(
        id=f"bgp.config.{lab.ingress.name}",
        layer=Layer.BGP,
        machine=lab.ingress.name,
        title=f"BIRD on {lab.ingress.name} is configured for every node",
        expected=f"a session per node, AS {network.ingress_as_number} here and {network.as_number} there",
        command="birdc show protocols all",
        run=lambda facts, _lab: configured(facts, lab),
        probe="protocols",
        needs=(f"machine.{lab.ingress.name}",),
        explained_by=(f"bgp.{lab.ingress.name}",),
    )


def configured(facts: Facts, lab: Lab) -> Outcome:
    """Every node has a session in BIRD's configuration, with the lab's AS numbers."""
    hint = f"labctl ssh {lab.ingress.name} -- cat /etc/bird/bird.conf"
    here = facts.on(lab.ingress.name)
    wrong = []
    for node in lab.nodes:
        session = here.session_with(node.address)
        if session is None:
            wrong.append(f"no session with {node.name} ({node.address})")
        elif session.local_as != lab.network.ingress_as_number:
            wrong.append(f"{session.name}: local AS is {session.local_as}, not {lab.network.ingress_as_number}")
        elif session.peer_as != lab.network.as_number:
            wrong.append(f"{session.name}: neighbor AS is {session.peer_as}, not {lab.network.as_number}")
    known = {machine.address for machine in lab.machines}
    foreign = [item for item in here.sessions if item.peer is not None and item.peer not in known]
    wrong += [f"session {item.name} is with {item.peer}, which is no machine of the lab" for item in foreign]
    if wrong:
        return failed(listed(wrong), f"bird.conf on {lab.ingress.name} is wrong: {listed(wrong)}", hint)
    return passed(f"{counted(len(lab.nodes), 'session')} with the lab's AS numbers")


def _session_check(lab: Lab, here: Machine, there: Machine, first: tuple[str, ...]) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return established(facts, lab, here, there)

    needs = (f"machine.{there.name}", f"machine.{here.name}")
    subject = f"show protocols {there.name}" if here == lab.ingress else "show protocols"
    return Check(
        id=_id(here, there),
        layer=Layer.BGP,
        machine=here.name,
        title=f"BIRD has an established session with {there.name}"
        if here == lab.ingress
        else f"{here.name} has a session with {there.name}",
        expected="Established",
        command=birdc(here, lab.source, subject),
        run=run,
        probe="protocols",
        needs=needs,
        explained_by=(*first, *_beneath(here, there), "calico.bgp", *_peers(lab, here, there)),
    )


def _peers(lab: Lab, *ends: Machine) -> list[str]:
    """The checks of the BGPPeer objects that bring the session between these ends about, if any does."""
    ingresses = [view for view in views(lab) if view.ingress in ends] or views(lab)
    return [of_ingress("calico.peer", view) for view in ingresses]


def _mesh_check(lab: Lab, here: Machine, there: Machine) -> Check:
    first = tuple(_id(lab.ingress, node) for node in (here, there))
    other_end = () if here.name < there.name else (_id(there, here),)
    return _session_check(lab, here, there, (*first, *other_end))


def established(facts: Facts, lab: Lab, here: Machine, there: Machine) -> Outcome:
    """BIRD on ``here`` has an established session with ``there``."""
    facts.on(here.name).output("protocols")
    session = session_at(facts, here, there)
    if session and session.established:
        return passed(f"Established since {session.since}")
    return failed(session.words if session else "no such session", why_no_session(facts, lab, here, there))
