"""Looking into a machine that does not answer over SSH, without its network: a container's, by this host's root."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.checks.facts import MachineFacts
from labctl.checks.frames import INTERPRETER, parse_frames, program
from labctl.checks.probes import network_probes
from labctl.checks.run_here import NOT_FOUND, run_here
from labctl.host.host import Host
from labctl.host.threads import InterruptiblePool
from labctl.model.lab import Lab, Machine
from labctl.steps.values import container_prefix

STATE = "state"
"""The result that says in what state the machine's container is: RUNNING, STOPPED, FROZEN (lxc-info(1))."""
_SECONDS = 2.0


def look_inside_all(lab: Lab, machines: Sequence[Machine]) -> dict[str, MachineFacts]:
    """What is found in these machines, by name, all at once; nothing where there is no way in."""
    if not machines or not lab.provider.traits.has_console or not Host().is_root:
        return {}
    with InterruptiblePool(max_workers=len(machines)) as pool:
        found = pool.map(lambda machine: look_inside(container_prefix(lab), machine.name), machines)
        return {item.name: item for item in found if item}


def look_inside(prefix: str, machine: str) -> MachineFacts | None:
    """The state of the machine's container and, while it runs, its network as it looks from within."""
    container = prefix + machine
    state = run_here(("lxc-info", "--name", container, "--state", "--no-humanize"), _SECONDS)
    if state.status == NOT_FOUND:
        return None
    results = {STATE: state}
    if state.stdout.strip() == "RUNNING":
        probes = network_probes()
        words = ("lxc-attach", "--clear-env", "--name", container, "--", *INTERPRETER.split())
        said = run_here(words, _SECONDS, program(probes).decode())
        results.update(parse_frames(said.stdout, probes).results)
    return MachineFacts(machine, "", results)
