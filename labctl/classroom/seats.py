"""The seats of a class: planned from labctl.yaml as pure data, and the files in each seat's directory."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from labctl.config.build import build, choose_source
from labctl.config.consistency import conflicts
from labctl.config.problems import FILE_NAME
from labctl.config.schema import Config
from labctl.errors import ConfigError, HostError, LabctlError
from labctl.host.files import write_atomically
from labctl.host.host import Host
from labctl.host.networks import HostRoute, find_overlaps, host_routes
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Provider, Source
from labctl.ssh.access import ssh_config_text

FOLDER = "seats"
KUBECONFIG, SSH_CONFIG = "kubeconfig", "ssh_config"
_HEAD = """\
# A seat of a class: `labctl class up` wrote this file, from the labctl.yaml two folders up.
# labctl's commands work in this folder as in any lab's.
"""

# The default limits of a seat: MiB without workers, and MiB per worker. Measured with source debian: a seat with one
# worker settles at 0.9 GiB and one with two at 1.1 GiB (docs/how-to/many-seats.md); the rest is for students. With
# source upstream, a seat with one worker was out of memory at 2 GiB: its API server no longer answered.
MEMORY = {Source.DEBIAN: (1536, 512), Source.UPSTREAM: (2560, 768)}
CPUS = 2.0


@dataclass(frozen=True, slots=True)
class Seat:
    """One student's lab. directory: where its labctl.yaml is, so that plain labctl commands work there."""

    number: int
    directory: Path
    config: Config

    @property
    def name(self) -> str:
        """``seat01`` and so on: the name of the directory, and the end of the lab's name."""
        return self.directory.name

    @property
    def lab(self) -> Lab:
        """The lab's model."""
        return build(self.config, Provider.LXC)


def plan_seats(config: Config, base: Path) -> tuple[Seat, ...]:
    """The seats of the class that a labctl.yaml in base describes.

    Raises ConfigError with all problems.
    """
    first, last = config.classroom.first_seat, config.classroom.first_seat + config.classroom.seats - 1
    problems = list(_unplannable(config, last))
    if problems:
        raise _error(problems)
    seats = tuple(_seat(config, base, number) for number in range(first, last + 1))
    problems += [f"{seat.name}: {conflict.found}" for seat in seats for conflict in conflicts(seat.config)]
    problems += _overlaps(seats)
    if problems:
        raise _error(problems)
    return seats


def seat_values(seat: Seat) -> dict[str, Any]:
    """The keys of the seat's labctl.yaml: those of the class, and those in which the seats differ."""
    return seat.config.model_dump(mode="json", exclude_unset=True)


def seat_name(number: int) -> str:
    """The name of the seat with that number."""
    return f"seat{number:02}"


def _seat(config: Config, base: Path, number: int) -> Seat:
    index = number - config.classroom.first_seat
    network = config.network.model_copy(
        update={
            "subnet": nth_network(config.classroom.first_subnet, index),
            "service_cidr": nth_network(config.classroom.first_service_cidr, index),
        }
    )
    without_workers, per_worker = MEMORY[choose_source(config, Provider.LXC)]
    default = {"memory": without_workers + per_worker * config.workers, "cpus": CPUS}
    limits = config.limits.model_copy(update={k: v for k, v in default.items() if getattr(config.limits, k) is None})
    name = seat_name(number)
    own = {"name": f"{config.name}-{name}", "provider": Provider.LXC.value, "network": network, "limits": limits}
    shared = {key: getattr(config, key) for key in config.model_fields_set - {"classroom"}}
    return Seat(number, base / FOLDER / name, Config.model_construct(_fields_set={*shared, *own}, **{**shared, **own}))


def nth_network(first: IPv4Network, index: int) -> IPv4Network:
    """The network of the same size that comes index networks after the first one."""
    return IPv4Network((int(first.network_address) + index * first.num_addresses, first.prefixlen))


def _unplannable(config: Config, last: int) -> Iterator[str]:
    """Problems that prevent planning any seat."""
    classroom = config.classroom
    if config.provider != "auto" and not Provider(config.provider).traits.shares_host_kernel:
        yield f"provider: {config.provider}; allowed: lxc, for seats"
    if last > 99:
        yield f"classroom.first_seat: the last seat would be number {last}; allowed: at most 99"
    if len(f"{config.name}-{seat_name(last)}") > 40:
        yield f"name: {config.name} is too long for a class; allowed: at most 33 characters"
    for key in ("first_subnet", "first_service_cidr"):
        first: IPv4Network = getattr(classroom, key)
        if int(first.network_address) + classroom.seats * first.num_addresses > 2**32:
            yield f"classroom.{key}: {first} leaves no room for {classroom.seats} networks of /{first.prefixlen}"
        if key.removeprefix("first_") in config.network.model_fields_set:
            yield f"network.{key.removeprefix('first_')}: each seat has its own; set classroom.{key} instead"


def _overlaps(seats: tuple[Seat, ...]) -> Iterator[str]:
    """Seats whose network overlaps another seat's Services: this server could not tell them apart."""
    for one, other in combinations(seats, 2):
        for here, there in ((one, other), (other, one)):
            mine, theirs = here.config.network, there.config.network
            if mine.subnet.overlaps(theirs.service_cidr):
                overlap = f"{mine.subnet} of {here.name} overlaps the Services of {there.name}, {theirs.service_cidr}"
                yield f"classroom.first_subnet: {overlap}"


def _error(problems: list[str]) -> ConfigError:
    return ConfigError("this class is not possible", problems=problems, next_step="change it in labctl.yaml")


def seat_yaml(seat: Seat) -> bytes:
    """The seat's labctl.yaml; always the same bytes for the same seat."""
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(seat_values(seat), text)
    return (_HEAD + text.getvalue()).encode()


def write_seat(seat: Seat) -> None:
    """Write the seat's labctl.yaml. Raises LabctlError if that fails."""
    try:
        write_atomically(seat.directory / FILE_NAME, seat_yaml(seat))
    except OSError as error:
        raise LabctlError(f"cannot write {seat.directory}", why=error.strerror or "") from error


def write_access_files(lab: Lab, files: LabDirectory) -> None:
    """Write a seat's kubeconfig and ssh_config to its directory."""
    write_atomically(files.base / KUBECONFIG, files.admin_kubeconfig.read_bytes(), mode=0o600)
    write_atomically(files.base / SSH_CONFIG, ssh_config_text(lab, files).encode())


def existing_seats(base: Path, names: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """The directories of the seats that were brought up here. names: only these.

    Raises HostError if there are none, or not all that are named.
    """
    found = {path.parent.name: path.parent for path in sorted((base / FOLDER).glob(f"*/{FILE_NAME}"))}
    if not found:
        raise HostError(f"there are no seats in {base / FOLDER}", next_step="labctl class up")
    unknown = [name for name in names if name not in found]
    if unknown:
        raise HostError(
            f"there is no {', '.join(unknown)} in {base / FOLDER}", why=f"the seats are: {', '.join(found)}"
        )
    return tuple(path for name, path in found.items() if not names or name in names)


def remove_seat(directory: Path) -> None:
    """Remove what the class wrote to a seat's directory, and the directory if it is empty then."""
    for name in (FILE_NAME, KUBECONFIG, SSH_CONFIG):
        (directory / name).unlink(missing_ok=True)
    for folder in (directory, directory.parent):
        with suppress(OSError):
            folder.rmdir()


def remove_folder(folder: Path) -> None:
    """Remove the folder of the seats if nothing is left in it but labctl's log."""
    logs = set(folder.glob("labctl.log*"))
    if folder.is_dir() and set(folder.iterdir()) == logs:
        for log in logs:
            log.unlink()
        folder.rmdir()


MIB = 1024 * 1024
# For the server's own programs.
RESERVE = 512 * MIB


def require_room(seats: Sequence[Seat], running: frozenset[str], host: Host) -> None:
    """Raise HostError with all reasons if this server has no room for the seats.

    running: the names of seats that already have machines, which use their memory.
    """
    problems = [
        *_networks(seats, host_routes(host)),
        *memory_problems([seat for seat in seats if seat.name not in running], host.memory()[1]),
    ]
    if problems:
        raise HostError(
            "this server has no room for the class",
            why="\n".join(problems),
            next_step="use fewer seats, or change networks or limits in labctl.yaml; then: labctl class up",
        )


def _networks(seats: Sequence[Seat], routes: list[HostRoute]) -> Iterator[str]:
    own = {seat.lab.bridge for seat in seats}
    foreign = [route for route in routes if route.interface not in own]
    for seat in seats:
        for overlap in find_overlaps(seat.lab, foreign):
            yield f"{seat.name}: {overlap}"


def memory_problems(seats: Sequence[Seat], available: int) -> list[str]:
    """The problem, if any, if these seats, not running yet, use all their memory. available: bytes."""
    needed = sum(seat.lab.limits.memory or 0 for seat in seats)
    free = (available - RESERVE) // MIB
    if not seats or needed <= free:
        return []
    each = seats[0].lab.limits.memory or 1
    fit = max(0, free // each)
    return [
        f"{len(seats)} seats may use {needed} MiB (limits.memory is {each}), but {free} MiB are free: enough for {fit}"
    ]
