"""Layer machine: no process of the lab is stopped by a signal. It is there, it has its port, and it does nothing."""

from __future__ import annotations

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.facts.system import StoppedProcesses
from labctl.model.lab import Lab, Machine


def processes(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """No process is in state T (ps(1): stopped by job control signal); those with a terminal were not asked for."""
    found = facts.on(machine.name)[StoppedProcesses]
    if not found:
        return passed("none")
    pid, words = found[0].pid, found[0].command.split()
    program = found[0].name if found[0].name != "python3" else words[-1] if len(words) < 3 else words[2]
    cause = (
        f"{program} (pid {pid}) on {machine.name} is stopped by a signal (SIGSTOP): it keeps its port and does nothing"
    )
    observed = f"in state T: {listed(item.name for item in found)}"
    return failed(observed, cause, f"labctl ssh {machine.name} -- kill -CONT {pid}")
