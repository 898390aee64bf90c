"""Facts of a lab that nobody has asked: what the checks are called is known without it."""

from __future__ import annotations

from labctl.checks.facts import Facts, HostFacts, HttpFacts, MachineFacts
from labctl.host.command import CommandResult
from labctl.model.lab import Lab


def unasked(lab: Lab) -> Facts:
    """Nothing is known of any machine."""
    nothing = CommandResult("", 127, "", "not asked", 0.0)
    machines = {machine.name: MachineFacts(machine.name, "not asked") for machine in lab.machines}
    return Facts(HostFacts(nothing, nothing), machines, machines[lab.ingress.name], HttpFacts(), lab.controlplane.name)
