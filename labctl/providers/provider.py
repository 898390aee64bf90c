"""What a provider is: one object that creates, finds, stops and removes the machines of one lab."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import ClassVar, Protocol

from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.known_errors import KnownError
from labctl.providers.probe import Probe
from labctl.providers.snapshots import Snapshots

# Whether a machine answers over SSH, with the host key that labctl made for it.
Answers = Callable[[str], bool]
# Gets a machine's name, and a line about it.
Report = Callable[[str, str], None]
# Gets a line that a program printed.
OnLine = Callable[[str], None]


class Console(Protocol):
    """A way into a machine for root on this host, without the machine's network."""

    def state(self, *, deadline: float) -> CommandResult:
        """The machine's state as the provider calls it, such as RUNNING."""

    def run(self, script: str, *, interpreter: str = "bash -s", deadline: float) -> CommandResult:
        """Run a script as root on the machine. interpreter: the command that reads it on its standard input.

        Raises HostError if the provider's program is missing, LabctlError if it has not ended after ``deadline``
        seconds.
        """

    def power_off(self) -> None:
        """Switch the machine off, as if its power failed. Raises LabctlError."""

    def power_on(self) -> None:
        """Switch the machine on again. Raises LabctlError."""


class MachineProvider(ABC):
    """The machines of one lab, on one provider.

    Every method may be called again after labctl was killed in the middle of it, and whatever state that left: an
    incomplete machine counts as one. Each raises HostError if a program is missing, LabctlError if it fails.

    probes: what `labctl doctor` looks at, beside what it looks at for every provider. known_errors: what the programs
    print when they fail; the first match counts. snapshots: how it keeps them; None if it has none.
    """

    probes: ClassVar[tuple[Probe, ...]]
    known_errors: ClassVar[tuple[KnownError, ...]]

    def __init__(self, lab: Lab, files: LabDirectory, host: Host) -> None:
        self.lab = lab
        self.files = files
        self.host = host
        self.snapshots: Snapshots | None = None

    @abstractmethod
    def machines(self) -> frozenset[str]:
        """The names of the machines that exist, whole or in part, whether or not the lab lists them."""

    @abstractmethod
    def prepare_host(self) -> None:
        """Restore what machines need on this host, even if machines already run."""

    @abstractmethod
    def machines_to_boot(self, answers: Answers, report: Report) -> frozenset[str]:
        """The lab's machines that `boot` has to start, once they are in a state in which it can."""

    @abstractmethod
    def boot(self, names: Collection[str], on_line: OnLine) -> None:
        """Create those machines, or start them; returns once Vagrant is done with all."""

    @abstractmethod
    def halt(self) -> None:
        """Stop all machines."""

    @abstractmethod
    def remove(self, names: Collection[str]) -> None:
        """Remove those machines, which the lab need not list."""

    @abstractmethod
    def destroy(self) -> list[str]:
        """Remove all machines, and what was made on this host for them; returns what was removed, for messages.

        If something cannot be removed, everything else still is.
        """

    @classmethod
    def console(cls, lab: Lab, machine: str, host: Host) -> Console | None:
        """A way into the machine without its network; None if there is none."""
        return None
