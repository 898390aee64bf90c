"""What this host has and lacks for a lab: every probe of its provider, and the fixes that are safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.errors import HostError
from labctl.host.host import Host
from labctl.model.lab import Lab, Provider
from labctl.providers import common_probes as common
from labctl.providers.libvirt import probes as libvirt
from labctl.providers.lxc import probes as lxc
from labctl.providers.probe import Finding, Probe, Status
from labctl.providers.virtualbox import probes as virtualbox

PROBES: dict[Provider, tuple[Probe, ...]] = {
    Provider.LXC: (*lxc.PROBES, *common.PROBES),
    Provider.LIBVIRT: (*libvirt.PROBES, *common.PROBES),
    Provider.VIRTUALBOX: (*virtualbox.PROBES, *common.PROBES),
}


@dataclass(frozen=True, slots=True)
class Examined:
    """A probe, and what it found."""

    probe: Probe
    finding: Finding


def examine(lab: Lab, host: Host) -> list[Examined]:
    """Everything that the probes of the lab's provider find; probes whose question does not arise are left out."""
    looked = ((probe, probe.look(lab, host)) for probe in PROBES[lab.provider])
    return [Examined(probe, finding) for probe, finding in looked if finding is not None]


def failures(examined: Sequence[Examined]) -> list[Examined]:
    """Those with which the lab will not come up."""
    return [one for one in examined if one.finding.status is Status.FAIL]


def require(lab: Lab, host: Host) -> list[Examined]:
    """Examine the host and return what was found. Raises HostError, naming everything with which the lab will fail."""
    examined = examine(lab, host)
    failed = failures(examined)
    if not failed:
        return examined
    fixable = any(one.finding.fix for one in failed)
    raise HostError(
        f"this host is not ready for a lab on {lab.provider.value}",
        why="\n".join(f"{one.probe.title}: {one.finding.found}" for one in failed),
        next_step="\n".join(
            [*dict.fromkeys(one.finding.remedy for one in failed), *(["labctl doctor --fix"] if fixable else [])]
        ),
    )
