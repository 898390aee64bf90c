"""Whether this server has room for the seats: free networks and memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labctl.classroom.seats import Seat
from labctl.errors import HostError
from labctl.host.host import Host
from labctl.host.networks import HostRoute, find_overlaps, host_routes

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
