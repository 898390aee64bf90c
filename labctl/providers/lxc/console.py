"""A way into a container for root on this host, without the container's network: lxc-info and lxc-attach."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.model.lab import Lab
from labctl.providers.lxc.containers import Containers
from labctl.steps.values import container_prefix


@dataclass(frozen=True, slots=True)
class ContainerConsole:
    """The console of one machine (`labctl.providers.provider.Console`)."""

    lab: Lab
    machine: str
    host: Host

    def state(self, *, deadline: float) -> CommandResult:
        """RUNNING, STOPPED or FROZEN (lxc-info(1))."""
        command = ["lxc-info", "--name", self._container, "--state", "--no-humanize"]
        return self.host.run(command, deadline=deadline)

    def run(self, script: str, *, interpreter: str = "bash -s", deadline: float) -> CommandResult:
        """Run a script as root in the container (lxc-attach(1))."""
        command = ["lxc-attach", "--clear-env", "--name", self._container, "--", *interpreter.split()]
        return self.host.run(command, deadline=deadline, stdin=script)

    def power_off(self) -> None:
        """Kill all that runs in the container."""
        Containers(self.lab, self.host).power_off(self.machine)

    def power_on(self) -> None:
        """Start the container, as it is."""
        Containers(self.lab, self.host).power_on(self.machine)

    @property
    def _container(self) -> str:
        return container_prefix(self.lab) + self.machine
