"""Programs that a killed labctl left running: Vagrant, and those that create and start containers."""

from __future__ import annotations

from pathlib import Path

from labctl.host.host import Host
from labctl.host.processes import Process
from labctl.model.lab import Lab
from labctl.providers.lxc.containers import MACHINE
from labctl.providers.marks import CONTAINERS, snapshots_name
from labctl.steps.values import container_prefix

_TOOLS = ("lxc-create", "lxc-start", "lxc-stop", "lxc-destroy")
# In the environment of every Vagrant and copy that labctl starts; their children inherit it.
MARK = "LABCTL_STARTED_THIS"


def end_leftovers(lab: Lab, folder: Path, host: Host, *, by_labctl: bool = False) -> int:
    """End the processes that still work on the lab: SIGTERM, then SIGKILL. Returns how many.

    folder: the lab's .labctl. by_labctl: only what a labctl started; as the caller holds the lab's lock, it was killed.
    """
    found = [process for process in host.processes() if _works_on(process, lab, folder)]
    if by_labctl:
        found = [process for process in found if MARK in process.environment]
    host.end(found)
    return len(found)


def _is_disk(path: str, lab: Lab) -> bool:
    """Whether a path is in one of the lab's containers or in its snapshots."""
    if not path.startswith(f"{CONTAINERS}/"):
        return False
    name = Path(path).relative_to(CONTAINERS).parts[0]
    return name == snapshots_name(lab.name) or bool(MACHINE.fullmatch(name.removeprefix(container_prefix(lab))))


def _works_on(process: Process, lab: Lab, folder: Path) -> bool:
    words = process.words
    if any(Path(word).name in _TOOLS for word in words[:2]):
        prefix = container_prefix(lab)
        return any(MACHINE.fullmatch(word.removeprefix(prefix)) for word in words if word.startswith(prefix))
    if MARK in process.environment and any(_is_disk(word.rpartition("=")[2], lab) for word in (*words, process.folder)):
        return True  # it copies a machine, to or from a snapshot
    if not any("vagrant" in word or word.endswith("host/prepare.sh") for word in words[:4]):
        return False
    # A folder that is gone is shown as "… (deleted)" (proc(5), /proc/pid/cwd).
    return process.folder.removesuffix(" (deleted)") == str(folder)
