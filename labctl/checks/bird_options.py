"""Options in bird.conf that keep a session down and do not show in `birdc show protocols`: looked up at both ends."""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from labctl.checks.check import Cause
from labctl.checks.facts import Facts
from labctl.facts.bird import BgpSession, BirdOptions
from labctl.facts.ip import Addresses
from labctl.model.lab import Machine

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
        return f"a password is wanted for the session with {peer.name}, whose end has none"
    if _is_on(option, "ttl security") and not _any_on(theirs, "ttl security"):
        return f"`ttl security` is on for the session with {peer.name}, whose end sends packets with a small TTL"
    if _is_on(option, "passive") and _any_on(theirs, "passive"):
        return f"both ends of the session with {peer.name} are passive: each waits for the other to connect"
    if _is_on(option, "bfd") and not _any_on(theirs, "bfd"):
        return f"bfd is on for the session with {peer.name}, whose end does not speak it: BIRD waits for it"
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
