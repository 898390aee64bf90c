"""LXC: system containers of this host, created and started by Vagrant; everything else labctl does by itself.

labctl asks LXC, and looks for the marks that a lab leaves on this host, so it finds, stops and removes machines even
if Vagrant's records or the lab's files are damaged or gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress

from labctl.errors import LabctlError
from labctl.host.files import write_atomically
from labctl.host.host import Host
from labctl.host.hosts_file import HOSTS_FILE, remove_line
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.lxc.console import ContainerConsole
from labctl.providers.lxc.containers import Containers
from labctl.providers.lxc.known_errors import LXC_ERRORS
from labctl.providers.lxc.probes import PROBES
from labctl.providers.lxc.snapshots import ContainerSnapshots
from labctl.providers.marks import HostMarks
from labctl.providers.provider import Answers, MachineProvider, OnLine, Report
from labctl.providers.vagrant import Vagrant
from labctl.scheduler import InterruptiblePool
from labctl.steps.templates import render_template, templates_folder
from labctl.steps.values import container_prefix, lab_values
from labctl.steps.write import prepare

# Seconds per call of Vagrant.
_DEADLINES = {"up": 900, "halt": 300, "destroy": 300, "status": 60}
# systemd gives a service 90 s to end (systemd-system.conf(5), DefaultTimeoutStopSec).
_ENDS_WITHIN = 100.0
_POLL_SECONDS = 0.5


class Lxc(MachineProvider):
    """The containers of one lab."""

    probes = PROBES
    known_errors = LXC_ERRORS

    def __init__(self, lab: Lab, files: LabDirectory, host: Host) -> None:
        super().__init__(lab, files, host)
        self.containers = Containers(lab, host)
        self.snapshots = ContainerSnapshots(self.containers)
        self.marks = HostMarks(host)
        self.vagrant = Vagrant(lab, files, host, errors=LXC_ERRORS, deadlines=_DEADLINES)

    def machines(self) -> frozenset[str]:
        """Those that LXC lists, and incomplete ones, which a killed program left."""
        listed = self.containers.existing() if self.host.find("lxc-ls") else frozenset()
        return self.marks.machines(self.lab.name) | listed

    def prepare_host(self) -> None:
        """Create the lab's bridge and NAT, and set the kernel: something may have reset the host."""
        self.containers.run_host_script(self._host_script(), "up", str(self.files.base))

    def machines_to_boot(self, answers: Answers, report: Report) -> frozenset[str]:
        """Those that do not run, or are about to end."""
        names = frozenset(machine.name for machine in self.lab.machines)
        to_boot = names - self._running_on(names, answers, report)
        self._agree_with_vagrant(to_boot)
        return to_boot

    def boot(self, names: Collection[str], on_line: OnLine) -> None:
        """The containers have their keys before they start: the lab's folder is mounted into them."""
        self.vagrant.up(names, on_line)

    def halt(self) -> None:
        """Vagrant stops those that it knows, if its own notes are whole (else see vagrant.log); LXC stops the rest."""
        if self.files.is_lab():
            with suppress(LabctlError):
                self.vagrant.halt()
        self.containers.stop(self.containers.running())

    def remove(self, names: Collection[str]) -> None:
        """Remove the containers, and Vagrant's notes about them."""
        self.containers.remove(names)
        self.vagrant.forget(names)

    def destroy(self) -> list[str]:
        """All machines are found by the lab's name, whatever Vagrant knows of them."""
        self._destroy_by_vagrant()
        left, removed, failures = self.machines(), list[str](), list[LabctlError]()

        def attempt(do: Callable[[], object]) -> None:
            try:
                do()
            except LabctlError as error:
                failures.append(error)

        attempt(lambda: self.containers.remove(left))
        attempt(lambda: self.containers.remove_folder(self.marks.snapshots(self.lab.name)))
        self.containers.remove_empty_cgroups()
        attempt(lambda: self.containers.run_host_script(self._host_script(), "down"))
        attempt(
            lambda: removed.extend(
                ["the line in /etc/hosts"] if remove_line(self.lab.name, self.host.path(HOSTS_FILE)) else []
            )
        )
        if failures:
            raise failures[0]
        return [*removed, *(f"container {name}" for name in sorted(left))]

    @classmethod
    def console(cls, lab: Lab, machine: str, host: Host) -> ContainerConsole:
        """By lxc-attach."""
        return ContainerConsole(lab, machine, host)

    def _running_on(self, names: frozenset[str], answers: Answers, report: Report) -> frozenset[str]:
        """The containers that run and will go on running: one that a killed `halt` is stopping no longer answers."""
        until, reported = time.monotonic() + _ENDS_WITHIN, frozenset[str]()
        while True:
            running = self.containers.running() & names
            with InterruptiblePool() as pool:
                silent = running - {
                    name for name, does in zip(running, pool.map(answers, running), strict=True) if does
                }
            if not silent or time.monotonic() > until:
                return running
            for name in sorted(silent - reported):
                report(name, f"it runs and does not answer: given {_ENDS_WITHIN:.0f} s to end")
            reported |= silent
            time.sleep(_POLL_SECONDS)

    def _agree_with_vagrant(self, to_boot: frozenset[str]) -> None:
        """Make Vagrant and LXC agree on the machines that do not run; otherwise Vagrant would refuse to boot them.

        Vagrant does not know a container if it was killed while creating it, or if its files were lost. A container
        that never booted is removed; one that did is registered with Vagrant again. One without a configuration cannot
        start, and is removed.
        """
        whole, existing = self.containers.existing(), self.machines() & to_boot
        unknown = {name for name in existing if self.vagrant.noted_id(name) != container_prefix(self.lab) + name}
        booted = {name for name in unknown & whole if self.marks.has_booted(self.lab.name, name)}
        self.remove((existing - whole) | (unknown - booted))
        for name in booted:
            write_atomically(self.vagrant.id_file(name), (container_prefix(self.lab) + name).encode())

    def _destroy_by_vagrant(self) -> None:
        """Let Vagrant destroy what plain `vagrant up` made, as far as it can: the user's own Vagrant home lists it.

        What labctl made is listed in the lab's own Vagrant home, which goes with the lab's files.
        """
        own = self.files.folder.is_symlink() or self.files.vagrant_home.exists()
        if own or not self.files.vagrant_notes.exists():
            return
        with suppress(LabctlError, OSError):  # OSError: a full disk
            prepare(self.lab, self.files, box_file=None, host=self.host)
            self.vagrant.destroy()

    def _host_script(self) -> str:
        """From labctl's template: the rendered file may be gone, or damaged."""
        return render_template(templates_folder(), "scripts/host/prepare.sh.j2", lab_values(self.lab, box_file=None))
