"""What VirtualBox and libvirt share: virtual machines, which Vagrant alone creates, starts, stops and removes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import ClassVar

from labctl.errors import LabctlError
from labctl.host.files import write_atomically
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.known_errors import VAGRANT_ERRORS, KnownError
from labctl.providers.probe import Probe
from labctl.providers.provider import Answers, MachineProvider, OnLine, Report
from labctl.providers.vagrant import Vagrant
from labctl.providers.vagrant_snapshots import VagrantSnapshots
from labctl.steps.write import prepare

# Seconds per call of Vagrant, times the lab's patience: `vagrant status` took more than two minutes while an emulated
# machine booted. The box may have to be downloaded first.
_DEADLINES = {"up": 5400, "halt": 900, "destroy": 900, "status": 120, "snapshot": 1800}
# The provisioners in Vagrantfile.j2 that give a machine its host key and the lab's public key.
_KEYS = ("copy-keys", "keys")


class VirtualMachines(MachineProvider):
    """The virtual machines of one lab. What Vagrant does not know of does not exist."""

    probes: ClassVar[tuple[Probe, ...]] = ()
    known_errors: ClassVar[tuple[KnownError, ...]] = VAGRANT_ERRORS

    def __init__(self, lab: Lab, files: LabDirectory, host: Host) -> None:
        super().__init__(lab, files, host)
        deadlines = {command: seconds * lab.patience for command, seconds in _DEADLINES.items()}
        self.vagrant = Vagrant(lab, files, host, errors=self.known_errors, deadlines=deadlines)
        self.snapshots = VagrantSnapshots(self.vagrant, files)

    def machines(self) -> frozenset[str]:
        """By Vagrant's own notes."""
        return self.vagrant.created()

    def prepare_host(self) -> None:
        """The provider makes the lab's network itself, when the first machine boots."""

    def machines_to_boot(self, answers: Answers, report: Report) -> frozenset[str]:
        """Those that do not run, those whose first boot was cut off, and those that have not got their keys.

        Vagrant sets up a machine's network while it boots it, and never again while it runs: one whose first boot was
        cut off is switched off. One that runs without its keys gets them by `vagrant up`, too.
        """
        names, states = frozenset(machine.name for machine in self.lab.machines), self.vagrant.states()
        running = frozenset(name for name in names if states.get(name) == "running")
        cut_off = running - self.vagrant.booted()
        if cut_off:
            self.vagrant.power_off(cut_off)
        return names - frozenset(name for name in running - cut_off if answers(name))

    def boot(self, names: Collection[str], on_line: OnLine) -> None:
        """Vagrant also gives the machines their keys."""
        self.vagrant.up(names, on_line, provision_with=_KEYS)

    def halt(self) -> None:
        """Raises HostError where the lab's files are gone: then nobody knows its machines."""
        self.files.require()
        self.vagrant.halt()

    def remove(self, names: Collection[str]) -> None:
        """Vagrant removes only what its Vagrantfile lists: until they are gone, it lists these machines as well."""
        if not names:
            return
        role_of = {machine.role.value: machine for machine in self.lab.machines}
        more = [replace(role_of[name.rstrip("0123456789")], name=name) for name in sorted(names)]
        before = self.files.vagrantfile.read_bytes()
        try:
            prepare(replace(self.lab, machines=(*self.lab.machines, *more)), self.files, box_file=None, host=self.host)
            self.vagrant.destroy(names)
        finally:
            prepare(self.lab, self.files, box_file=None, host=self.host)
            write_atomically(self.files.vagrantfile, before)
        self.vagrant.forget(names)

    def destroy(self) -> list[str]:
        """Nothing to do where Vagrant has no notes."""
        if self.files.folder.is_symlink() or not self.files.vagrant_notes.exists():
            return []
        try:
            prepare(self.lab, self.files, box_file=None, host=self.host)
        except OSError as error:
            raise LabctlError(
                "Vagrant's files can't be written", where=str(self.files.folder), why=str(error)
            ) from error
        self.vagrant.destroy()
        return []
