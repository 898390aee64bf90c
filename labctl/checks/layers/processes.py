"""Layer machine: no process of the lab is stopped by a signal. It is there, it has its port, and it does nothing."""

from __future__ import annotations

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.model.lab import Lab, Machine


def processes(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """No process is in state T (ps(1): stopped by job control signal); those with a terminal were not asked for."""
    found = []
    for line in facts.on(machine.name).output("processes").splitlines():
        words = line.split(maxsplit=3)
        if len(words) >= 3 and words[0].startswith("T"):
            found.append((words[1], words[2], words[3] if len(words) > 3 else words[2]))
    if not found:
        return passed("none")
    pid, name, command = found[0]
    program = name if name != "python3" else command.split()[-1] if len(command.split()) < 3 else command.split()[2]
    cause = (
        f"{program} (pid {pid}) on {machine.name} is stopped by a signal (SIGSTOP): it keeps its port and does nothing"
    )
    observed = f"in state T: {listed(item[1] for item in found)}"
    return failed(observed, cause, f"labctl ssh {machine.name} -- kill -CONT {pid}")
