"""What the host itself knows about the lab, without root."""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import IPv4Address

from labctl.checks.facts import HostFacts
from labctl.checks.inside import look_inside_all
from labctl.checks.run_here import run_here
from labctl.host.host import Host
from labctl.host.threads import InterruptiblePool
from labctl.model.lab import Lab, Machine

_SECONDS = 2.0
_PING_SECONDS = "0.7"  # a kernel on the next bridge answers within milliseconds
_NAME_SECONDS = 0.7  # a resolver that waits for a DNS server that is not there must not hold up verify


def route_command(lab: Lab) -> tuple[str, ...]:
    """The command that shows the host's way to the lab."""
    return way_command(lab.entry)


def way_command(address: IPv4Address) -> tuple[str, ...]:
    """The command that shows how this host's packets for an address leave."""
    return ("ip", "-json", "route", "get", str(address))


def name_command(lab: Lab) -> tuple[str, ...]:
    """The command that shows what the application's name means on this host."""
    return ("getent", "ahostsv4", lab.app.host)


def ask_host(lab: Lab, silent: Sequence[Machine] = ()) -> HostFacts:
    """Ask the host. Raises nothing: a program that is missing leaves status 127.

    silent: machines that do not answer over SSH; they are pinged, all at once, less than a second.
    """
    with InterruptiblePool(max_workers=1) as pool:
        looking = pool.submit(look_inside_all, lab, silent)
        answering = _answering(silent)
        inside = looking.result()
    pinged = tuple(str(machine.address) for machine in silent if machine.name in answering)
    names = run_here(name_command(lab), _NAME_SECONDS).stdout
    addresses = dict.fromkeys(line.split()[0] for line in names.splitlines() if line.split())
    return HostFacts(
        route=run_here(route_command(lab), _SECONDS),
        neighbours=run_here(("ip", "-json", "neigh"), _SECONDS),
        name_addresses=tuple(addresses),
        pinged=pinged,
        ways={str(machine.address): run_here(way_command(machine.address), _SECONDS) for machine in silent},
        links=run_here(("ip", "-json", "-details", "link"), _SECONDS),
        clock=time.time(),
        inside=inside,
        firewall=run_here(("nft", "list", "ruleset"), _SECONDS) if Host().is_root else None,
        load=Host().load_average(),
    )


def _answering(machines: Sequence[Machine]) -> frozenset[str]:
    """The names of those that answer ping."""
    if not machines:
        return frozenset()
    with InterruptiblePool(max_workers=len(machines)) as pool:
        commands = [("ping", "-n", "-c", "1", "-W", _PING_SECONDS, str(machine.address)) for machine in machines]
        results = pool.map(lambda words: run_here(words, _SECONDS), commands)
        return frozenset(machine.name for machine, result in zip(machines, results, strict=True) if result.ok)
