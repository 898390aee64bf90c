"""How many seats each server of a class gets: computed from its memory and its processors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from labctl.classroom.seats import MIB, RESERVE, nth_network, plan_seats
from labctl.config.schema import Config
from labctl.errors import HostError
from labctl.model.lab import Lab

MOST_SEATS = 99
SEATS_PER_PROCESSOR = 3
"""Measured (docs/how-to/many-seats.md): a seat at rest takes about a quarter of a slow processor."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The seats of one server. memory: bytes. by_memory, by_cpus: how many it can hold."""

    server: str
    memory: int
    cpus: int
    by_memory: int
    by_cpus: int
    seats: int
    first_seat: int
    first_subnet: IPv4Network
    first_service_cidr: IPv4Network


def place(config: Config, servers: Iterable[tuple[str, int, int]], wanted: int | None = None) -> list[Placement]:
    """The placement on servers, each with its name, its memory in bytes and its number of processors.

    wanted: how many seats; as many as possible without. They are shared in proportion to what each server can hold.
    Raises HostError if that is too many, ConfigError if the class is not possible.
    """
    one = config.model_copy(update={"classroom": config.classroom.model_copy(update={"seats": 1})})
    lab = plan_seats(one, Path())[0].lab
    most = [(name, memory, cpus, *_room(lab, memory, cpus)) for name, memory, cpus in servers]
    numbers = _shared([min(by_memory, by_cpus) for _, _, _, by_memory, by_cpus in most], wanted)
    first, found = config.classroom.first_seat, list[Placement]()
    for own, seats in zip(most, numbers, strict=True):
        index, classroom = first - config.classroom.first_seat, config.classroom
        subnet = nth_network(classroom.first_subnet, index)
        found.append(Placement(*own, seats, first, subnet, nth_network(classroom.first_service_cidr, index)))
        first += seats
    whole = config.classroom.model_copy(update={"seats": max(1, sum(numbers))})
    plan_seats(config.model_copy(update={"classroom": whole}), Path())
    return found


def _room(lab: Lab, memory: int, cpus: int) -> tuple[int, int]:
    """For how many seats there is memory, and processors."""
    by_memory = (memory - RESERVE) // MIB // (lab.limits.memory or 1)
    return max(0, by_memory), cpus * SEATS_PER_PROCESSOR


def _shared(most: Sequence[int], wanted: int | None) -> list[int]:
    """The number of seats for each server. most: what each can hold."""
    total = sum(most)
    wanted = min(total, MOST_SEATS) if wanted is None else wanted
    if wanted > total:
        raise HostError(
            f"these servers hold {total} seats, not {wanted}",
            next_step="use more servers, or smaller limits in labctl.yaml; then again: labctl class plan",
        )
    numbers = [wanted * each // total for each in most] if total else list(most)
    for _ in range(wanted - sum(numbers)):  # what rounding left: to the one with the most room
        numbers[max(range(len(most)), key=lambda one: most[one] - numbers[one])] += 1
    return numbers
