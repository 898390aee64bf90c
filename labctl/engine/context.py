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
    """The lab, its files, and the ways to its machines and to this host. on_event: called with what happens."""

    lab: Lab
    files: LabDirectory
    provider: MachineProvider
    connections: Connections
    host: Host
    on_event: OnEvent

    def answers(self, machine: str) -> bool:
        """Whether a machine answers over SSH, with the host key that labctl made for it."""
        try:
            self.connections.to(machine)
        except RemoteError:
            return False
        return True
