"""What every action of `labctl up` works on."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.errors import RemoteError
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.provider import MachineProvider
from labctl.scheduler import OnEvent
from labctl.ssh.connections import Connections


@dataclass(frozen=True, slots=True)
class Context:
    """The lab's machines on their provider, and the connections to them. on_event: called with what happens."""

    provider: MachineProvider
    connections: Connections
    on_event: OnEvent

    @property
    def lab(self) -> Lab:
        """The lab."""
        return self.provider.lab

    @property
    def files(self) -> LabDirectory:
        """The lab's files."""
        return self.provider.files

    @property
    def host(self) -> Host:
        """This host."""
        return self.provider.host

    def answers(self, machine: str) -> bool:
        """Whether a machine answers over SSH, with the host key that labctl made for it."""
        try:
            self.connections.to(machine)
        except RemoteError:
            return False
        return True
