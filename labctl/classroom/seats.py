"""The seats of a class, planned as pure data: each a lab with a number, a directory and networks of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any

from labctl.config.build import build
from labctl.config.consistency import conflicts
from labctl.config.schema import Config
from labctl.errors import ConfigError
from labctl.model.lab import Lab, Provider

FOLDER = "seats"

# What a seat's machines may use together where limits: says nothing. Measured: a seat with one worker settles at
# 0.9 GiB and one with two at 1.1 GiB (docs/how-to/many-seats.md); the rest is room for students.
BASE_MEMORY, MEMORY_PER_WORKER = 1536, 512
CPUS = 2.0


@dataclass(frozen=True, slots=True)
class Seat:
    """One student's lab. directory: where its labctl.yaml is, so that plain labctl commands work there."""

    number: int
    directory: Path
    config: Config

    @property
    def name(self) -> str:
        """``seat01`` and so on: the directory's name, and what follows the class's name in the lab's."""
        return self.directory.name

    @property
    def lab(self) -> Lab:
        """The lab's model."""
        return build(self.config, Provider.LXC)


def plan_seats(config: Config, base: Path) -> tuple[Seat, ...]:
    """The seats of the class that a labctl.yaml in base describes.

    Raises ConfigError, with all problems, where a seat's lab can't be.
    """
    room = config.classroom
    first, last = room.first_seat, room.first_seat + room.seats - 1
    problems = list(_outside(config, last))
    if problems:
        raise _error(problems)
    seats = tuple(_seat(config, base, number) for number in range(first, last + 1))
    problems += [f"{seat.name}: {conflict.found}" for seat in seats for conflict in conflicts(seat.config)]
    problems += _overlaps(seats)
    if problems:
        raise _error(problems)
    return seats


def seat_values(seat: Seat) -> dict[str, Any]:
    """The keys of the seat's own labctl.yaml: the class's, and those in which the seat differs from the others."""
    return seat.config.model_dump(mode="json", exclude_unset=True)


def seat_name(number: int) -> str:
    """What a seat of that number is called."""
    return f"seat{number:02}"


def _seat(config: Config, base: Path, number: int) -> Seat:
    place = number - config.classroom.first_seat
    network = config.network.model_copy(
        update={
            "subnet": _nth(config.classroom.first_subnet, place),
            "service_cidr": _nth(config.classroom.first_service_cidr, place),
        }
    )
    default = {"memory": BASE_MEMORY + MEMORY_PER_WORKER * config.workers, "cpus": CPUS}
    limits = config.limits.model_copy(update={k: v for k, v in default.items() if getattr(config.limits, k) is None})
    name = seat_name(number)
    own = {"name": f"{config.name}-{name}", "provider": Provider.LXC.value, "network": network, "limits": limits}
    kept = {key: getattr(config, key) for key in config.model_fields_set - {"classroom"}}
    return Seat(number, base / FOLDER / name, Config.model_construct(_fields_set={*kept, *own}, **{**kept, **own}))


def _nth(first: IPv4Network, place: int) -> IPv4Network:
    """The network of the same size that many places after the first one."""
    return IPv4Network((int(first.network_address) + place * first.num_addresses, first.prefixlen))


def _outside(config: Config, last: int) -> Iterator[str]:
    """What keeps seats from being planned at all."""
    room = config.classroom
    if config.provider != "auto" and not Provider(config.provider).traits.shares_host_kernel:
        yield f"provider: {config.provider}; seats are LXC machines"
    if last > 99:
        yield f"classroom.first_seat: the last seat would be number {last}; allowed: at most 99"
    if len(f"{config.name}-{seat_name(last)}") > 40:
        yield f"name: {config.name} leaves no room for a seat's name; allowed: at most 33 characters"
    for key in ("first_subnet", "first_service_cidr"):
        first: IPv4Network = getattr(room, key)
        if int(first.network_address) + room.seats * first.num_addresses > 2**32:
            yield f"classroom.{key}: no room for {room.seats} networks of /{first.prefixlen} from {first} on"
        if key.removeprefix("first_") in config.network.model_fields_set:
            yield f"network.{key.removeprefix('first_')}: each seat has its own; classroom.{key} says which"


def _overlaps(seats: tuple[Seat, ...]) -> Iterator[str]:
    """Where one seat's own network lies in another seat's Services or pods: this server must tell them apart."""
    for one, other in combinations(seats, 2):
        for here, there in ((one, other), (other, one)):
            mine, theirs = here.config.network, there.config.network
            if mine.subnet.overlaps(theirs.service_cidr):
                yield (
                    f"classroom.first_subnet: {here.name}'s {mine.subnet} overlaps {there.name}'s Services, "
                    f"{theirs.service_cidr}"
                )


def _error(problems: list[str]) -> ConfigError:
    return ConfigError("the class can't be planned", problems=problems, next_step="change it in labctl.yaml")
