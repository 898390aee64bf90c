"""Why a BGP session is not established: which end, and what is wrong there."""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from labctl.checks.check import Cause
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.machine_packets import foreign_drop_rules
from labctl.checks.why_unit_is_down import unit_state, why_unit_is_down
from labctl.facts.bird import BgpSession, BirdOptions, BirdProtocols
from labctl.facts.fact import ParseError
from labctl.facts.ip import Addresses, Neighbours
from labctl.facts.system import Listeners
from labctl.facts.systemd import AGENT_UNIT, BIRD_UNIT
from labctl.model.lab import Lab, Machine

_LINE = re.compile(r"^(\d+):\s*(.*?)\s*$")
_PORT = re.compile(r"^(?:neighbor|local)\b.*\bport (\d+)")
_PROTOCOL = re.compile(r"^protocol bgp (\S+)")

Options = dict[str, int]


def options_of(facts: Facts, machine: Machine, session: BgpSession | None) -> Options | None:
    """The options of a session, each with its line's number, and those before every protocol (the template's).

    None if that machine's file was not read.
    """
    text = facts.on(machine.name).get(BirdOptions)
    if text is None:
        return None
    found: Options = {}
    block = ""
    for line in text.splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        opening = _PROTOCOL.match(match[2])
        if opening:
            block = opening[1]
        if session and block in ("", session.name):
            rest = match[2].partition("{")[2] if opening else match[2]
            for option in filter(None, (part.strip() for part in rest.split(";"))):
                found[option] = int(match[1])
    return found


def why_options_differ(
    facts: Facts, here: Machine, there: Machine, sessions: tuple[BgpSession | None, BgpSession | None]
) -> Cause | None:
    """What one end demands and the other does not do; None if nothing of the kind was found."""
    ends = [(here, there, options_of(facts, here, sessions[0])), (there, here, options_of(facts, there, sessions[1]))]
    for at, peer, mine in ends:
        theirs = ends[1][2] if at == here else ends[0][2]
        if mine is None:
            continue
        for option, line in mine.items():
            words = _trouble(facts, at, peer, option, theirs)
            if words:
                hint = f"labctl ssh {at.name} -- sed -n {line}p /etc/bird/bird.conf"
                return Cause(f"bird.conf on {at.name}, line {line}: {words}", hint)
    return None


def _trouble(facts: Facts, at: Machine, peer: Machine, option: str, theirs: Options | None) -> str:
    words = _one_sided(peer, option, theirs) if theirs is not None else ""
    if words:
        return words
    port = _PORT.search(option)
    if port and port[1] != "179":
        return f"the session with {peer.name} is to use port {port[1]}, BGP's is 179"
    if option.startswith("source address") and not _is_own(facts, at, option.rpartition(" ")[2]):
        return f"the source address {option.rpartition(' ')[2]} of the session with {peer.name} is none of {at.name}'s"
    if option.startswith("router id") and option.rpartition(" ")[2] == str(peer.address):
        return f"the router id is {peer.name}'s ({peer.address}); two routers must not have the same"
    return ""


def _one_sided(peer: Machine, option: str, theirs: Options) -> str:
    """What only one end has, or both and only one may have."""
    if option.startswith("password") and not any(item.startswith("password") for item in theirs):
        return f"the session with {peer.name} requires a password, and its end has none"
    if _is_on(option, "ttl security") and not _any_on(theirs, "ttl security"):
        return f"`ttl security` is on for the session with {peer.name}, whose end sends packets with a small TTL"
    if _is_on(option, "passive") and _any_on(theirs, "passive"):
        return f"both ends of the session with {peer.name} are passive: each waits for the other to connect"
    if _is_on(option, "bfd") and not _any_on(theirs, "bfd"):
        return f"bfd is on for the session with {peer.name}, whose end does not use it: BIRD waits for it"
    return ""


def _any_on(options: Options, name: str) -> bool:
    return any(_is_on(option, name) for option in options)


def _is_on(option: str, name: str) -> bool:
    return option == name or (option.startswith(f"{name} ") and option.rpartition(" ")[2] in ("on", "yes", "true"))


def _is_own(facts: Facts, machine: Machine, address: str) -> bool:
    try:
        wanted = IPv4Address(address)
    except ValueError:
        return True
    nics = facts.on(machine.name).get(Addresses)
    return nics is None or any(item.ip == wanted for nic in nics for item in nic.addresses)


BGP_PORT = 179


def why_no_session(facts: Facts, lab: Lab, here: Machine, there: Machine) -> Cause:
    """The cause as seen from ``here``: first the far end's daemon, then either end's configuration, then the packets
    between.
    """
    for find in (_far_daemon, _near_configuration, _far_configuration, _as_numbers, _limits, _options, _packets):
        cause = find(facts, lab, here, there)
        if cause:
            return cause
    session = session_at(facts, here, there)
    words = session.words if session else "no session"
    hint = f"labctl birdc {here.name} show protocols all"
    return Cause(f"BIRD on {here.name} says: {words}{_next_try(session)}", hint)


def _next_try(session: BgpSession | None) -> str:
    """When BIRD tries again, where it says so."""
    return "" if session is None or session.next_try is None else f"; BIRD tries again in {session.next_try:.0f} s"


def session_at(facts: Facts, here: Machine, there: Machine) -> BgpSession | None:
    """The session with ``there`` in BIRD on ``here``; None if there is none, or BIRD did not answer."""
    try:
        return facts.on(here.name)[BirdProtocols].with_peer(there.address)
    except (MissingFact, ParseError):
        return None


def _bird_answers(facts: Facts, machine: Machine) -> bool:
    try:
        facts.on(machine.name)[BirdProtocols]
    except MissingFact:
        return False
    return True


def _far_daemon(facts: Facts, _lab: Lab, _here: Machine, there: Machine) -> Cause | None:
    """Does BIRD run there, and does it listen?"""
    silent = f"nothing listens on {there.name}'s port {BGP_PORT}"
    hint = f"labctl ssh {there.name} -- systemctl status bird"
    unit = unit_state(facts, there.name, BIRD_UNIT)
    if unit and not unit.running:
        why = why_unit_is_down(facts, there.name, unit)
        return Cause(f"{silent}: {why.text}", why.hint)
    try:
        listens = any(listener.port == BGP_PORT for listener in facts.on(there.name)[Listeners])
    except (MissingFact, ParseError):
        return None
    if not listens:
        agent = unit_state(facts, there.name, AGENT_UNIT)
        if agent and not agent.running:
            return Cause(f"{silent}: BIRD there has no session configured, and {agent}", hint)
        return Cause(f"{silent}" + ("" if _bird_answers(facts, there) else ": BIRD there does not answer"), hint)
    return None


def _near_configuration(facts: Facts, _lab: Lab, here: Machine, there: Machine) -> Cause | None:
    return _configuration(facts, here, there)


def _far_configuration(facts: Facts, _lab: Lab, here: Machine, there: Machine) -> Cause | None:
    return _configuration(facts, there, here)


def _configuration(facts: Facts, at: Machine, peer: Machine) -> Cause | None:
    """Is there a session for the peer, and is it switched on?"""
    if not _bird_answers(facts, at):
        return None
    session = session_at(facts, at, peer)
    if session is None:
        agent = unit_state(facts, at.name, AGENT_UNIT)
        why = f"; {agent}" if agent and not agent.running else ""
        hint = f"labctl birdc {at.name} show protocols"
        return Cause(
            f"BIRD on {at.name} has no session with {peer.name} ({peer.address}) in its configuration{why}", hint
        )
    if session.disabled:
        return Cause(
            f"session {session.name} is disabled in BIRD on {at.name}", f"labctl birdc {at.name} enable {session.name}"
        )
    return None


def _as_numbers(facts: Facts, lab: Lab, here: Machine, there: Machine) -> Cause | None:
    """Do both ends agree on each other's AS number?"""
    for at, peer in ((here, there), (there, here)):
        session = session_at(facts, at, peer)
        if session is None:
            continue
        local, remote = lab.as_number(at), lab.as_number(peer)
        hint = f"labctl birdc {at.name} show protocols all {session.name}"
        if session.local_as not in (0, local):
            return Cause(f"BIRD on {at.name} has AS number {session.local_as}, it should be {local}", hint)
        if session.peer_as not in (0, remote):
            return Cause(f"BIRD on {at.name} expects AS {session.peer_as} from {peer.name}, which has {remote}", hint)
    return None


def _limits(facts: Facts, _lab: Lab, here: Machine, there: Machine) -> Cause | None:
    """Did one end shut the session down because the other told it of more routes than it takes?"""
    for at, peer in ((here, there), (there, here)):
        session = session_at(facts, at, peer)
        if session and "limit exceeded" in session.last_error:
            cause = f"BIRD on {at.name} shut session {session.name} down: it received more routes than its limit"
            return Cause(cause, f"labctl birdc {at.name} show protocols all {session.name}")
    return None


def _options(facts: Facts, _lab: Lab, here: Machine, there: Machine) -> Cause | None:
    """Does one end demand something that the other does not do?"""
    return why_options_differ(facts, here, there, (session_at(facts, here, there), session_at(facts, there, here)))


def _packets(facts: Facts, _lab: Lab, here: Machine, there: Machine) -> Cause | None:
    """Do packets get there? Firewall rules at either end, ARP, and what BIRD's socket said."""
    for machine in (there, here):
        try:
            rules = foreign_drop_rules(facts, machine.name)
        except MissingFact:
            continue
        if rules:
            hint = f"labctl ssh {machine.name} -- nft -a list ruleset"
            return Cause(f"a firewall rule on {machine.name} {rules[0].effect} packets ({rules[0]})", hint)
    session = session_at(facts, here, there)
    error = session.last_error if session else ""
    if _no_arp(facts, here, there):
        hint = f"labctl ssh {here.name} -- ip neigh show {there.address}"
        return Cause(
            f"{there.name} ({there.address}) does not answer {here.name} on the lab network (no ARP reply)", hint
        )
    if "No route to host" in error:
        cause = f"something between {here.name} and {there.name} rejects their packets ({error}): this host's firewall?"
        return Cause(cause, "labctl up")  # lets the bridge pass again
    if "timed out" in error or "Hold timer expired" in error:
        hint = f"labctl ssh {there.name} -- tcpdump -ni any -c 10 tcp port {BGP_PORT}"
        return Cause(
            f"packets to {there.name}'s port {BGP_PORT} are lost on their "
            f"way from {here.name} ({error}), although BIRD listens there{_next_try(session)}",
            hint,
        )
    if "authentication" in error.lower() or "MD5" in error:
        return Cause(f"the session's password differs between {here.name} and {there.name} ({error})", "")
    return None


def _no_arp(facts: Facts, here: Machine, there: Machine) -> bool:
    try:
        entries = [entry for entry in facts.on(here.name)[Neighbours] if entry.address == there.address]
    except (MissingFact, ParseError):
        return False
    return bool(entries) and not any(entry.answers for entry in entries)
