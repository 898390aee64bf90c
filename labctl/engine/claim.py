"""The other labs on this host, running or halted: no two may have the same name, or networks that overlap.

The host routes a lab's subnet, so nothing of another lab may lie in it. Pods and services are known inside their own
lab's machines only: any number of labs may use the same ones.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path

from labctl.config.overrides import Overrides, read_choices, write_choices
from labctl.engine.applied import applied_lab, remember
from labctl.errors import ConfigError, HostError
from labctl.host.files import write_atomically
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.marks import HostMarks

# The holder reads a few files, or runs scripts/host/prepare.sh, which also has a limit of a minute.
_DEADLINE = 60.0
_PAUSE = 0.05
Networks = dict[str, IPv4Network]
_SUBNET = "network.subnet"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A network of this lab that overlaps one of another lab. key, other_key: of labctl.yaml."""

    key: str
    network: IPv4Network
    lab: str
    other_key: str
    other: IPv4Network

    def __str__(self) -> str:
        return f"{self.key}: {self.network} overlaps {self.other}, {self.other_key} of the lab {self.lab} on this host"


def require_free_networks(lab: Lab, files: LabDirectory, host: Host) -> None:
    """Raise ConfigError, naming every conflict, if this lab and another lab on this host cannot both be up."""
    found = conflicts(lab, other_labs(lab, HostMarks(host)))
    if found:
        keys = ", ".join(dict.fromkeys(conflict.key for conflict in found))
        raise ConfigError(
            f"the lab {lab.name} conflicts with another lab on this host",
            problems=[str(conflict) for conflict in found],
            where=str(files.config),
            next_step=f"choose other networks in labctl.yaml ({keys}), or: labctl destroy --name {found[0].lab}",
        )


def require_own_name(lab: Lab, files: LabDirectory, host: Host) -> None:
    """Raise HostError if this host has a lab of this name from another directory."""
    other = HostMarks(host).owner(lab.name, files)
    if other is not None:
        raise HostError(
            f"this host has a lab {lab.name} already",
            why=f"it was created from {other}",
            next_step=f"give this one another name in {files.config}, or: labctl -C {other} destroy",
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
    """From the lab's own files; if those are gone, the subnet from its machines' addresses."""
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


def claim(lab: Lab, files: LabDirectory, overrides: Overrides, host: Host) -> None:
    """Record for every other labctl what `up` creates here, unless another lab on this host is in its way.

    overrides: the options of `up`. The lab's lock must be held.
    Raises ConfigError or HostError if another lab has the name or a network of this one.
    """
    if not lab.provider.traits.leaves_marks:
        require_free_networks(lab, files, host)
        _note(lab, files, overrides)
        return
    with _one_at_a_time(host.path("/run")):
        require_own_name(lab, files, host)
        require_free_networks(lab, files, host)
        _note(lab, files, overrides)
        write_atomically(HostMarks(host).notes / lab.name, f"{files.base}\n".encode())


def _note(lab: Lab, files: LabDirectory, overrides: Overrides) -> None:
    """Record labctl.yaml, and what holds until the lab is destroyed: options of `up`, and what this host decided."""
    remember(files)
    versions = {name: version for name, version in asdict(lab.versions).items() if version}
    decided = Overrides(
        provider=lab.provider.value, source=lab.source.value, subnet=str(lab.network.subnet), **versions
    )
    write_choices(files.choices, decided.or_else(overrides).or_else(read_choices(files.choices)))


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the lock that scripts/host/prepare.sh also takes. It is on a folder, so it leaves no file behind."""
    import fcntl  # noqa: PLC0415 - Windows has none, and no LXC

    handle = os.open(folder, os.O_RDONLY)
    until = time.monotonic() + _DEADLINE
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise HostError(
                        f"another program held the lock on {folder} for {_DEADLINE:.0f} s",
                        why="labctl takes it to record a lab's networks, and while it sets up bridges and NAT",
                        next_step=f"fuser -v {folder} shows who; then the same command again",
                    ) from None
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(handle)
