"""What this host knows about the lab, without root where possible, and a look into machines that do not answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address

from labctl.checks.collector import TIMED_OUT
from labctl.checks.facts import HostFacts, MachineFacts
from labctl.checks.questions import network_probes
from labctl.checks.round_trip import INTERPRETER, parse_frames, program
from labctl.errors import HostError, LabctlError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.model.lab import Lab, Machine
from labctl.scheduler import InterruptiblePool

NOT_FOUND = 127


def run_here(host: Host, words: tuple[str, ...], seconds: float) -> CommandResult:
    """Run a program on the host; status 124 if it took too long, 127 if it is missing."""
    try:
        return host.run(words, deadline=seconds)
    except HostError as error:
        return CommandResult(" ".join(words), NOT_FOUND, "", error.what, 0.0)
    except LabctlError:
        return CommandResult(" ".join(words), TIMED_OUT, "", f"no end after {seconds:g} s", seconds)


STATE = "state"
"""The result that says in what state the machine's container is: RUNNING, STOPPED, FROZEN (lxc-info(1))."""
_SECONDS = 2.0


def look_inside_all(lab: Lab, machines: Sequence[Machine], host: Host) -> dict[str, MachineFacts]:
    """What is found in these machines, by name, all at once; nothing where there is no way in."""
    if not machines or not host.is_root:
        return {}
    with InterruptiblePool(max_workers=len(machines)) as pool:
        found = pool.map(lambda machine: look_inside(lab, machine, host), machines)
        return {item.name: item for item in found if item}


def look_inside(lab: Lab, machine: Machine, host: Host) -> MachineFacts | None:
    """The state of the machine and, while it runs, its network as it looks from within; None without a console."""
    from labctl.providers.registry import console_of  # noqa: PLC0415 - only where a machine is silent

    console = console_of(lab, machine.name, host)
    if console is None:
        return None
    try:
        state = console.state(deadline=_SECONDS)
    except HostError:
        return None
    except LabctlError as error:
        state = CommandResult("", TIMED_OUT, "", error.what, _SECONDS)
    results = {STATE: state}
    if state.stdout.strip() == "RUNNING":
        with suppress(LabctlError):  # it hangs
            probes = network_probes(lab, machine)
            done = console.run(program(probes).decode(), interpreter=INTERPRETER, deadline=_SECONDS)
            results.update(parse_frames(done.stdout, probes).results)
    return MachineFacts(machine.name, "", results)


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


def ask_host(lab: Lab, host: Host, silent: Sequence[Machine] = ()) -> HostFacts:
    """Ask the host. Raises nothing: a program that is missing leaves status 127.

    silent: machines that do not answer over SSH; they are pinged, all at once, less than a second.
    """
    with InterruptiblePool(max_workers=1) as pool:
        looking = pool.submit(look_inside_all, lab, silent, host)
        answering = _answering(silent, host)
        inside = looking.result()
    pinged = tuple(str(machine.address) for machine in silent if machine.name in answering)
    names = run_here(host, name_command(lab), _NAME_SECONDS).stdout
    addresses = dict.fromkeys(line.split()[0] for line in names.splitlines() if line.split())
    return HostFacts(
        route=run_here(host, route_command(lab), _SECONDS),
        neighbours=run_here(host, ("ip", "-json", "neigh"), _SECONDS),
        name_addresses=tuple(addresses),
        pinged=pinged,
        ways={str(machine.address): run_here(host, way_command(machine.address), _SECONDS) for machine in silent},
        links=run_here(host, ("ip", "-json", "-details", "link"), _SECONDS),
        clock=time.time(),
        inside=inside,
        firewall=_rules(host) if host.is_root else None,
        load=host.load_average(),
        filters_bridges=_reads(host, "/proc/sys/net/bridge/bridge-nf-call-iptables") == "1",
    )


def _rules(host: Host) -> CommandResult:
    """All rules: nft does not list those of iptables-legacy; the kernel names their tables, once there are any."""
    rules = run_here(host, ("nft", "list", "ruleset"), _SECONDS)
    if not _reads(host, "/proc/net/ip_tables_names"):
        return rules
    legacy = run_here(host, ("iptables-legacy-save",), _SECONDS)
    return replace(rules, stdout=f"{rules.stdout}\n{legacy.stdout}", status=rules.status and legacy.status)


def _reads(host: Host, file: str) -> str:
    try:
        return host.read(file).strip()
    except HostError:
        return ""


def _answering(machines: Sequence[Machine], host: Host) -> frozenset[str]:
    """The names of those that answer ping."""
    if not machines:
        return frozenset()
    with InterruptiblePool(max_workers=len(machines)) as pool:
        commands = [("ping", "-n", "-c", "1", "-W", _PING_SECONDS, str(machine.address)) for machine in machines]
        results = pool.map(lambda words: run_here(host, words, _SECONDS), commands)
        return frozenset(machine.name for machine, result in zip(machines, results, strict=True) if result.ok)


_MOST = 4.0
# So many processes per processor may be at work before programs answer noticeably later.
_EASY = 4.0
# A processor deals with so many machines' answers at once in the time of one.
_MACHINES_EACH = 4


def patience(lab: Lab, host: Host) -> float:
    """How many times longer everything may take: more where machines are emulated, on a host that is busy, and where
    many machines answer at once. An emulated machine that answers keeps a processor busy by itself.
    """
    per_processor = len(lab.machines) / host.cpus
    crowd = 1 + per_processor if lab.emulated else max(1.0, per_processor / _MACHINES_EACH)
    return lab.patience * strain(host) * crowd


def strain(host: Host) -> float:
    """How many times slower programs on this host answer than on an idle one: an estimate from 1 to 4.

    Looks at the last minute, which lags behind, and at this moment, which is a random sample.
    """
    at_work = max(host.load_average(), host.runnable())
    return min(_MOST, max(1.0, at_work / host.cpus / _EASY))
