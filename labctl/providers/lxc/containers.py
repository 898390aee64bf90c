"""LXC's containers of one lab: which exist and run; starting, stopping and removing them in whatever state."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from labctl.errors import HostError, LabctlError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.log import logged
from labctl.model.lab import Lab
from labctl.providers.known_errors import find_known_error
from labctl.providers.lxc.known_errors import LXC_ERRORS
from labctl.providers.marks import CONTAINERS
from labctl.scheduler import InterruptiblePool
from labctl.steps.values import container_prefix

_DEADLINE, _COPY_DEADLINE = 60.0, 900.0
# What the machines of a lab are called (labctl/config/build.py). The containers of a lab whose name is longer, such as
# lab-2 beside lab, begin with the same letters.
MACHINE = re.compile(r"ingress2?|router1|controlplane|worker[0-9]+")


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of a lab on a host. Machines are given and returned by their names in the lab."""

    lab: Lab
    host: Host = field(default_factory=Host)

    def running(self) -> frozenset[str]:
        """The machines that run now. Raises HostError without LXC, LabctlError if it fails."""
        return self._listed("--running")

    def existing(self) -> frozenset[str]:
        """The machines that exist, running or not, whether or not the lab still lists them. Raises as `running`."""
        return self._listed()

    def stop(self, machines: Collection[str]) -> None:
        """Shut machines down, by force if they take too long. Raises LabctlError if one cannot be stopped."""
        for machine in sorted(machines):
            self._run("lxc-stop", "--timeout", "20", "--name", self._container(machine))

    def power_off(self, machine: str) -> None:
        """Switch a machine off, as if its power failed, if it runs. Raises LabctlError."""
        if machine in self.running():
            self._run("lxc-stop", "--kill", "--name", self._container(machine))

    def power_on(self, machine: str) -> None:
        """Start a machine, if it does not run. Raises LabctlError."""
        if machine not in self.running():
            self._run("lxc-start", "--daemon", "--name", self._container(machine))

    def frozen(self) -> frozenset[str]:
        """The machines that are frozen now."""
        return self._listed("--frozen")

    def freeze(self, machine: str) -> None:
        """Freeze all processes of a machine (lxc-freeze(1)). Raises LabctlError."""
        self._run("lxc-freeze", "--name", self._container(machine))

    def unfreeze(self, machine: str) -> None:
        """Unfreeze them. Raises LabctlError."""
        self._run("lxc-unfreeze", "--name", self._container(machine))

    def init_process(self, machine: str) -> str:
        """The id of the machine's first process on this host. Raises LabctlError."""
        return self._run("lxc-info", "--name", self._container(machine), "--pid", "--no-humanize").strip()

    def folder(self, machine: str) -> Path:
        """Where LXC keeps a machine: its configuration and its disk."""
        return self.host.path(str(CONTAINERS / self._container(machine)))

    def copy(self, script: Path, source: Path, target: Path, init: str, environment: Mapping[str, str]) -> None:
        """Copy a machine's folder, by copy-machine.sh. Raises LabctlError, also if the disk is full."""
        words = ["bash", "-s", "--", str(source), str(target), init]
        environment = {**self.host.environment, **environment}
        with logged("host", " ".join(words)):
            text = script.read_text(encoding="utf-8")
            _output(self.host.run(words, deadline=_COPY_DEADLINE, stdin=text, environment=environment))

    def remove(self, machines: Iterable[str]) -> None:
        """Stop and remove machines by force, incomplete ones too. Raises LabctlError at the end if one remains."""
        names = sorted(machines)
        if not names:
            return
        with InterruptiblePool(max_workers=len(names)) as pool:
            ends = [pool.submit(self._remove, self._container(name)) for name in names]
        for end in ends:
            end.result()

    def remove_empty_cgroups(self) -> None:
        """Remove control groups of the lab's machines in which nothing runs: a monitor that was killed left them."""
        machine = re.compile(rf"{re.escape(container_prefix(self.lab))}(?:{MACHINE.pattern})")
        cgroups = self.host.path("/sys/fs/cgroup")
        for top in (*cgroups.glob("lxc.*"), *cgroups.glob("*/lxc.*")):
            match = re.fullmatch(r"lxc\.(?:payload|monitor)\.(.+?)(?:-[0-9]+)?", top.name)
            if match and machine.fullmatch(match[1]):
                for folder, _, _ in os.walk(top, topdown=False):
                    with suppress(OSError):  # one that is in use can't be removed
                        Path(folder).rmdir()

    def cgroup_value(self, machine: str, key: str) -> str:
        """A value of the machine's control group (lxc-cgroup(1)); empty if this host's kernel has no such key.

        Raises LabctlError if the machine does not run.
        """
        try:
            return self._run("lxc-cgroup", "--name", self._container(machine), key).strip()
        except HostError:
            raise
        except LabctlError:
            if machine in self.running():
                return ""
            raise

    def run_host_script(self, script: str, *words: str) -> None:
        """Run the lab's host script (scripts/host/prepare.sh.j2). Raises LabctlError with its last lines."""
        self._run("bash", "-s", "--", *words, stdin=script)

    def _container(self, machine: str) -> str:
        return container_prefix(self.lab) + machine

    def _listed(self, *options: str) -> frozenset[str]:
        prefix = container_prefix(self.lab)
        listed = self._run("lxc-ls", "-1", *options).split()
        names = (name.removeprefix(prefix) for name in listed if name.startswith(prefix))
        return frozenset(name for name in names if MACHINE.fullmatch(name))

    def _remove(self, container: str) -> None:
        """Remove a container. If LXC cannot read it (incomplete, damaged), stop it and remove its folder.

        LXC can stop a container without a configuration; whatever still runs then has lost its monitor.
        """
        folder = self.host.path(str(CONTAINERS / container))
        try:
            self._run("lxc-destroy", "--force", "--name", container)
        except LabctlError:
            if container in self._run("lxc-ls", "-1", "--running").split():
                with suppress(LabctlError):
                    self._run("lxc-stop", "--kill", "--name", container)
            elif not folder.exists():
                raise
        self._kill_processes(container)
        self.remove_folder(folder)

    def _kill_processes(self, container: str) -> None:
        """Kill what still runs in the container, and its monitor. Raises HostError for what may not be killed."""
        pids = processes_in(container, self.host)
        if pids:
            self.host.end([process for process in self.host.processes() if process.pid in pids], grace=0)

    def remove_folder(self, folder: Path) -> None:
        """Remove what LXC itself left of a container or never finished, or snapshots. Raises LabctlError."""
        if not folder.exists():
            return
        for mount in reversed(self._mounts_below(folder)):
            self._run("umount", "--lazy", str(mount))
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise LabctlError(f"{folder} can't be removed", where=str(folder), why=error.strerror or "") from error

    def _mounts_below(self, folder: Path) -> list[Path]:
        """What is mounted there, from /proc/self/mountinfo (proc(5): the fifth field is the mount point)."""
        lines = self.host.read("/proc/self/mountinfo").splitlines()
        points = [Path(line.split()[4].replace("\\040", " ")) for line in lines]
        return [point for point in points if point.is_relative_to(folder)]

    def _run(self, *command: str, stdin: str | None = None) -> str:
        """What a program of the host prints. Raises HostError if it is missing, LabctlError with its last words."""
        with logged("host", " ".join(command)):
            return _output(self._result(command, stdin))

    def _result(self, command: Sequence[str], stdin: str | None) -> CommandResult:
        if self.host.find(command[0]) is None:
            raise HostError(f"{command[0]} is not installed", next_step="apt install lxc")
        try:
            return self.host.run(command, deadline=_DEADLINE, stdin=stdin)
        except LabctlError as error:
            error.next_step = error.next_step or "the same command again"
            raise


def _output(done: CommandResult) -> str:
    if done.ok:
        return done.stdout
    why = (done.stderr or done.stdout).strip()
    known = find_known_error(why, LXC_ERRORS)
    meaning = f": {known.meaning} ({known.id})" if known else ""
    raise LabctlError(f"{done.command} failed{meaning}", why=why, next_step=known.remedy if known else "")


def processes_in(container: str, host: Host) -> frozenset[int]:
    """The ids of the processes in the container's control groups, from the lines of /proc/PID/cgroup (cgroups(7)).

    This finds them even if LXC itself has lost the container.
    """
    return frozenset(
        int(file.parent.name)
        for file in host.path("/proc").glob("[0-9]*/cgroup")
        if any(_is_cgroup_of(container, part, host) for line in _lines(file) for part in line.split("/"))
    )


def _is_cgroup_of(container: str, part: str, host: Host) -> bool:
    """LXC calls them lxc.payload.NAME and lxc.monitor.NAME; with -1, -2 after it where that one was there already.

    Another container may have such a name; its processes are its own.
    """
    match = re.fullmatch(rf"lxc\.(?:payload|monitor)\.({re.escape(container)}(?:-[0-9]+)?)", part)
    return match is not None and (match[1] == container or not host.exists(str(CONTAINERS / match[1])))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # it has ended
        return []
