"""This lab's networks against those of the other labs of this host, running or halted.

The host routes a lab's subnet, so nothing of another lab may lie in it. Pods and services are known inside their own
lab's machines only: any number of labs may use the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from labctl.engine.applied import applied_lab
from labctl.errors import ConfigError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.lxc.marks import HostMarks

Networks = dict[str, IPv4Network]
_SUBNET = "network.subnet"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A network of this lab that another one can't live beside. key, other_key: of labctl.yaml."""

    key: str
    network: IPv4Network
    lab: str
    other_key: str
    other: IPv4Network

    def __str__(self) -> str:
        return f"{self.key}: {self.network} overlaps {self.other}, {self.other_key} of the lab {self.lab} on this host"


def require_free_networks(lab: Lab, files: LabDirectory, marks: HostMarks | None = None) -> None:
    """Raise ConfigError, naming every conflict, if this lab and another one of this host could not both be up."""
    found = conflicts(lab, other_labs(lab, marks or HostMarks()))
    if found:
        keys = ", ".join(dict.fromkeys(conflict.key for conflict in found))
        raise ConfigError(
            f"the lab {lab.name} can't live beside another lab of this host",
            problems=[str(conflict) for conflict in found],
            where=str(files.config),
            next_step=f"choose other networks in labctl.yaml ({keys}), or: labctl destroy --name {found[0].lab}",
        )


def conflicts(lab: Lab, others: dict[str, Networks]) -> list[Conflict]:
    """Where a subnet of one lab overlaps any network of the other one. others: each lab's networks, by its name."""
    mine = _networks(lab)
    return [
        Conflict(key, network, name, other_key, other)
        for name, networks in others.items()
        for key, network in mine.items()
        for other_key, other in networks.items()
        if _SUBNET in (key, other_key) and network.overlaps(other)
    ]


def other_labs(lab: Lab, marks: HostMarks) -> dict[str, Networks]:
    """The networks of each other lab of this host, as far as they are known."""
    return {name: dict(_known(name, marks)) for name in marks.labs() if name != lab.name}


def _known(name: str, marks: HostMarks) -> Iterator[tuple[str, IPv4Network]]:
    """From the lab's own files; where those are gone, its machines' addresses tell its subnet."""
    directory = marks.labs()[name]
    made = applied_lab(LabDirectory(directory)) if directory is not None else None
    if made is not None and made.name == name:
        yield from _networks(made).items()
        return
    subnet = marks.subnet(name)
    if subnet is not None:
        yield _SUBNET, subnet


def _networks(lab: Lab) -> Networks:
    network = lab.network
    return {
        _SUBNET: network.subnet,
        "network.pod_cidr": network.pod_cidr,
        "network.service_cidr": network.service_cidr,
    }
