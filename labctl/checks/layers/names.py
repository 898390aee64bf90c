"""The names of the lab's machines, as each machine resolves them: there is no name server, only /etc/hosts."""

from __future__ import annotations

from labctl.checks.check import Outcome, failed, passed
from labctl.checks.facts import Facts
from labctl.facts.system import HostName, HostNames
from labctl.model.lab import Lab, Machine


def names(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Every machine's name leads to its address."""
    host_name = facts.on(machine.name)[HostName]
    if host_name.partition(".")[0] != machine.name:
        cause = (
            f"{machine.name} calls itself {host_name}: its host name was changed, and programs that start now take it"
        )
        return failed(f"host name {host_name}", cause, f"labctl ssh {machine.name} -- hostname {machine.name}")
    found = facts.on(machine.name)[HostNames]
    for other in lab.machines:
        address = found.get(other.name, "")
        if address == str(other.address):
            continue
        observed = f"{other.name} is {address}" if address else f"{other.name} is unknown"
        what = f"takes {other.name} for {address}" if address else f"does not know {other.name}"
        cause = f"{machine.name} {what}, it is {other.address}: look at its /etc/hosts"
        return failed(observed, cause, f"labctl ssh {machine.name} -- cat /etc/hosts")
    return passed(f"{len(lab.machines)} names")
