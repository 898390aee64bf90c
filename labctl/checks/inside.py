"""Looking into a machine that does not answer over SSH, without its network: by the provider's console, as root."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from labctl.checks.collector import TIMED_OUT
from labctl.checks.facts import MachineFacts
from labctl.checks.frames import INTERPRETER, parse_frames, program
from labctl.checks.questions import network_probes
from labctl.errors import HostError, LabctlError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.host.threads import InterruptiblePool
from labctl.model.lab import Lab, Machine
from labctl.providers.registry import console_of

STATE = "state"
"""The result that says in what state the machine's container is: RUNNING, STOPPED, FROZEN (lxc-info(1))."""
_SECONDS = 2.0


def look_inside_all(lab: Lab, machines: Sequence[Machine], host: Host | None = None) -> dict[str, MachineFacts]:
    """What is found in these machines, by name, all at once; nothing where there is no way in."""
    host = host or Host()
    if not machines or not host.is_root:
        return {}
    with InterruptiblePool(max_workers=len(machines)) as pool:
        found = pool.map(lambda machine: look_inside(lab, machine, host), machines)
        return {item.name: item for item in found if item}


def look_inside(lab: Lab, machine: Machine, host: Host) -> MachineFacts | None:
    """The state of the machine and, while it runs, its network as it looks from within; None without a console."""
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
