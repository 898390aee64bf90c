"""Programs that a killed labctl left at work on a lab's machines: Vagrant, and what makes and starts containers."""

from __future__ import annotations

from pathlib import Path

import psutil

from labctl.model.lab import Lab
from labctl.providers.lxc.containers import MACHINE
from labctl.steps.values import container_prefix

_TOOLS = ("lxc-create", "lxc-start", "lxc-stop", "lxc-destroy")
_GRACE_SECONDS = 10.0
# In the environment of every Vagrant that labctl starts, and so of all that it starts.
MARK = "LABCTL_STARTED_THIS"


def end_leftovers(lab: Lab, folder: Path, *, by_labctl: bool = False) -> int:
    """End what still works on the lab: ask, wait, then insist; returns how many. folder: the lab's .labctl.

    by_labctl: only what a labctl started; whoever holds the lab's lock knows that this labctl is gone.
    """
    found = [process for process in psutil.process_iter(["name", "cmdline"]) if _is_leftover(process, lab, folder)]
    if by_labctl:
        found = [process for process in found if _was_started_by_labctl(process)]
    end(found, grace=_GRACE_SECONDS)
    return len(found)


def end_children(*, grace: float = _GRACE_SECONDS) -> None:
    """End what this labctl started and what still runs: ask, wait ``grace`` seconds, then insist."""
    end(psutil.Process().children(recursive=True), grace=grace)


def end(processes: list[psutil.Process], *, grace: float) -> None:
    """Ask the processes to end; those that have not after ``grace`` seconds are killed."""
    for process in processes:
        _signal(process, insist=False)
    _, alive = psutil.wait_procs(processes, timeout=grace)
    for process in alive:
        _signal(process, insist=True)


def _is_leftover(process: psutil.Process, lab: Lab, folder: Path) -> bool:
    words = process.info["cmdline"] or []
    if any(Path(word).name in _TOOLS for word in words[:2]):
        return any(word.startswith(container_prefix(lab)) and _is_own(word, lab) for word in words)
    if not any("vagrant" in word or word.endswith("host/prepare.sh") for word in words[:4]):
        return False
    try:
        # A folder that is gone is shown as "… (deleted)" (proc(5), /proc/pid/cwd).
        return process.cwd().removesuffix(" (deleted)") == str(folder)
    except psutil.Error:
        return False


def _was_started_by_labctl(process: psutil.Process) -> bool:
    try:
        return MARK in process.environ()
    except psutil.Error:
        return False


def _is_own(container: str, lab: Lab) -> bool:
    """Whether a container is this lab's and not one's whose name only begins like it."""
    return MACHINE.fullmatch(container.removeprefix(container_prefix(lab))) is not None


def _signal(process: psutil.Process, *, insist: bool) -> None:
    try:
        process.kill() if insist else process.terminate()
    except psutil.NoSuchProcess:
        return
