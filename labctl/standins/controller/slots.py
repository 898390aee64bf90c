"""Which pod has which server of a backend: servers are slots, so that scaling needs no reload.

As in the real controller a pod that stays keeps its slot, a slot whose pod went is free, and slots are only added, in
multiples of ``scale-server-slots`` (pkg/service/endpoints.go, v3.2; the real one adds one multiple more when it grows).
"""

from __future__ import annotations

from collections.abc import Iterable

from labctl.standins.controller.objects import Endpoint

Slots = tuple[Endpoint | None, ...]


def assign(before: Slots, endpoints: Iterable[Endpoint], step: int) -> Slots:
    """The slots after a change: endpoints in their slots, None for a free one. step: slots are added by so many."""
    wanted = set(endpoints)
    slots: list[Endpoint | None] = [endpoint if endpoint in wanted else None for endpoint in before]
    newcomers = sorted(wanted.difference(before))
    missing = len(newcomers) - slots.count(None)
    if missing > 0 or not slots:
        size = max(1, -(-(len(slots) + missing) // step)) * step
        slots.extend([None] * (size - len(slots)))
    free = (index for index, endpoint in enumerate(slots) if endpoint is None)
    for endpoint, index in zip(newcomers, free, strict=False):
        slots[index] = endpoint
    return tuple(slots)
