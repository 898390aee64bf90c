"""LXC on this host, beside Vagrant: which containers of a lab run, and removing what Vagrant lost track of."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from labctl.errors import HostError, LabctlError
from labctl.log import logged
from labctl.model.lab import Lab
from labctl.providers.known_errors import find_known_error
from labctl.providers.lxc.container_processes import forget_cgroups, kill_container
from labctl.providers.lxc.marks import CONTAINERS, HostMarks
from labctl.steps.values import container_prefix

_DEADLINE = 60.0
# What the machines of a lab are called (labctl/config/build.py). The containers of a lab whose name is longer, such as
# lab-2 beside lab, begin with the same letters.
MACHINE = re.compile(r"ingress2?|router1|controlplane|worker[0-9]+")


def running(lab: Lab) -> frozenset[str]:
    """The names of the lab's machines that run now."""
    return _names(lab, "--running")


def existing(lab: Lab) -> frozenset[str]:
    """The names of the lab's machines that exist, running or not, whether or not the lab still lists them."""
    return _names(lab)


def left_of(lab: Lab) -> frozenset[str]:
    """The same, and those of which only a part exists: whoever made them was killed."""
    return HostMarks().machines(lab.name) | (existing(lab) if shutil.which("lxc-ls") else frozenset())


def stop(lab: Lab, names: frozenset[str]) -> None:
    """Stop containers: ask them to shut down, and after a while insist. Raises LabctlError if one resists."""
    for name in sorted(names):
        _run(["lxc-stop", "--timeout", "20", "--name", container_prefix(lab) + name])


def forget_empty_cgroups(lab: Lab) -> None:
    """Remove the control groups of the lab's machines in which nothing runs any more."""
    forget_cgroups(re.compile(rf"{re.escape(container_prefix(lab))}(?:{MACHINE.pattern})"))


def remove(lab: Lab, names: frozenset[str], *, containers: Path = CONTAINERS) -> None:
    """Stop and remove containers by force, half-made ones too. Raises LabctlError if one resists."""
    failures = []
    for name in sorted(names):
        container = container_prefix(lab) + name
        try:
            _remove_one(container, containers / container)
        except LabctlError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def cgroup_value(lab: Lab, name: str, key: str) -> str:
    """What the machine's control group says (lxc-cgroup(1)); empty where this host's kernel has no such key.

    Raises LabctlError if the machine does not run.
    """
    command = ["lxc-cgroup", "--name", container_prefix(lab) + name, key]
    try:
        return _run(command).strip()
    except HostError:
        raise
    except LabctlError:
        if name in running(lab):
            return ""
        raise


def run_host_script(text: str, *words: str) -> None:
    """Run the lab's host script (scripts/host/prepare.sh.j2). Raises LabctlError with its last words."""
    _run(["bash", "-s", "--", *words], text=text)


def _remove_one(container: str, folder: Path) -> None:
    """Remove a container; where LXC can't make sense of it (half-made, damaged), stop it and remove its folder.

    LXC stops a container without its configuration, too. What runs on after that has lost its monitor.
    """
    try:
        _run(["lxc-destroy", "--force", "--name", container])
    except LabctlError:
        if container in _run(["lxc-ls", "-1", "--running"]).split():
            with suppress(LabctlError):
                _run(["lxc-stop", "--kill", "--name", container])
        elif not folder.exists():
            raise
    kill_container(container, containers=folder.parent)
    _remove_rest(folder)


def _remove_rest(folder: Path) -> None:
    """Remove what LXC itself left of a container, or never finished."""
    if not folder.exists():
        return
    for mount in reversed(_mounts_below(folder)):
        _run(["umount", "--lazy", str(mount)])
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise LabctlError(f"{folder} can't be removed", where=str(folder), why=error.strerror or "") from error


def _mounts_below(folder: Path) -> list[Path]:
    """What is mounted there, from /proc/self/mountinfo (proc(5): the fifth field is the mount point)."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = [Path(line.split()[4].replace("\\040", " ")) for line in lines]
    return [point for point in points if point.is_relative_to(folder)]


def _names(lab: Lab, *options: str) -> frozenset[str]:
    prefix = container_prefix(lab)
    listed = _run(["lxc-ls", "-1", *options]).split()
    names = (name.removeprefix(prefix) for name in listed if name.startswith(prefix))
    return frozenset(name for name in names if MACHINE.fullmatch(name))


def _run(command: Sequence[str], *, text: str | None = None) -> str:
    """Run a program of the host's. text: its standard input. Raises LabctlError with its last words."""
    with logged("host", " ".join(command)):
        return _run_now(command, text)


def _run_now(command: Sequence[str], text: str | None) -> str:
    shown = " ".join(command)
    given = {"input": text} if text is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE, check=True, **given)
    except FileNotFoundError as error:
        raise HostError(f"{command[0]} is not installed", next_step="apt install lxc") from error
    except subprocess.TimeoutExpired as error:
        last = (error.stderr or error.stdout or b"").decode("utf-8", "replace").strip()
        raise LabctlError(
            f"{shown} did not end within {_DEADLINE:.0f} s",
            why=last.splitlines()[-1] if last else "it printed nothing",
            next_step="the same command again",
        ) from error
    except subprocess.CalledProcessError as error:
        why = (error.stderr or error.stdout).strip()
        known = find_known_error(why)
        meaning = f": {known.meaning} ({known.id})" if known else ""
        raise LabctlError(f"{shown} failed{meaning}", why=why, next_step=known.remedy if known else "") from error
    return str(done.stdout)
