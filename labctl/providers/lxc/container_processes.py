"""The processes of one LXC container, known by their control group, where LXC itself has lost the container."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import psutil

_GRACE_SECONDS = 10.0


def kill_container(container: str, *, proc: Path = Path("/proc"), containers: Path) -> int:
    """Kill whatever still runs in the container, and its monitor; returns how many processes that were.

    Raises psutil.AccessDenied for a process that may not be killed.
    """
    found = []
    for pid in pids_of(container, proc=proc, containers=containers):
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
            found[-1].kill()
    psutil.wait_procs(found, timeout=_GRACE_SECONDS)
    return len(found)


def forget_cgroups(containers: re.Pattern[str], *, cgroups: Path = Path("/sys/fs/cgroup")) -> None:
    """Remove the control groups of such containers in which nothing runs: a monitor that was killed left them.

    containers: what their names look like.
    """
    for top in (*cgroups.glob("lxc.*"), *cgroups.glob("*/lxc.*")):
        match = re.fullmatch(r"lxc\.(?:payload|monitor)\.(.+?)(?:-[0-9]+)?", top.name)
        if match and containers.fullmatch(match[1]):
            for folder, _, _ in os.walk(top, topdown=False):
                with suppress(OSError):  # one that is in use can't be removed
                    Path(folder).rmdir()


def pids_of(container: str, *, proc: Path = Path("/proc"), containers: Path) -> list[int]:
    """The ids of the processes in the container's control groups, from the lines of /proc/PID/cgroup (cgroups(7))."""
    return [
        int(file.parent.name)
        for file in proc.glob("[0-9]*/cgroup")
        if any(_is_its(part, container, containers) for line in _lines(file) for part in line.split("/"))
    ]


def _is_its(part: str, container: str, containers: Path) -> bool:
    """LXC calls them lxc.payload.NAME and lxc.monitor.NAME; with -1, -2 after it where that one was there already.

    Another container may have such a name; its processes are its own.
    """
    match = re.fullmatch(rf"lxc\.(?:payload|monitor)\.({re.escape(container)}(?:-[0-9]+)?)", part)
    return match is not None and (match[1] == container or not (containers / match[1]).exists())


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # it has ended
        return []
