"""What the API says about the kinds that the agent follows, kept up to date by one watch each.

While the API is away the last state stays. Nothing is asked in a loop: a watch is one request that the API answers
for minutes, and after a failure the next try waits longer, up to a second and a half.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from labctl.standins.calico.api import (
    BGP_CONFIGURATION,
    BGP_PEER,
    BLOCK_AFFINITY,
    IP_POOL,
    NODE,
    Api,
    ApiError,
    Change,
    Kind,
    MissingError,
)
from labctl.standins.calico.objects import (
    BgpConfiguration,
    Json,
    ObjectError,
    Snapshot,
    name_of,
    read_affinity,
    read_configuration,
    read_node,
    read_peer,
    read_pool,
)

FOLLOWED = (BGP_CONFIGURATION, BGP_PEER, IP_POOL, BLOCK_AFFINITY, NODE)
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 1.5

Object = TypeVar("Object")
_log = logging.getLogger(__name__)


class Store:
    """The last known objects of every kind. Written by the watching threads, read by the agent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Kind, dict[str, Json]] = {}

    def replace(self, kind: Kind, items: Iterable[Json]) -> None:
        """Everything that there is of a kind."""
        with self._lock:
            self._objects[kind] = {name_of(item): item for item in items}

    def change(self, kind: Kind, change: Change) -> None:
        """One object came, changed or went."""
        with self._lock:
            objects = self._objects.setdefault(kind, {})
            if change.type == "DELETED":
                objects.pop(name_of(change.item), None)
            else:
                objects[name_of(change.item)] = change.item

    def snapshot(self) -> Snapshot | None:
        """All of it as typed objects; None while some kind has not been listed yet."""
        with self._lock:
            if any(kind not in self._objects for kind in FOLLOWED):
                return None
            items = {kind: list(self._objects[kind].values()) for kind in FOLLOWED}
        configurations = [item for item in items[BGP_CONFIGURATION] if name_of(item) == "default"]
        return Snapshot(
            configuration=next(iter(_readable(read_configuration, configurations)), BgpConfiguration()),
            peers=_readable(read_peer, items[BGP_PEER]),
            pools=_readable(read_pool, items[IP_POOL]),
            affinities=_readable(read_affinity, items[BLOCK_AFFINITY]),
            nodes=_readable(read_node, items[NODE]),
        )


def _readable(read: Callable[[Json], Object], items: Iterable[Json]) -> tuple[Object, ...]:
    found = []
    for item in items:
        try:
            found.append(read(item))
        except ObjectError as error:
            _log.warning("left out: %s", error)
    return tuple(found)


def follow_all(api: Api, store: Store, news: queue.SimpleQueue[str]) -> None:
    """Start a thread per kind; each puts the kind's name into ``news`` after every change of the store."""
    for kind in FOLLOWED:
        threading.Thread(target=_follow, args=(api, kind, store, news), name=kind.plural, daemon=True).start()


def _follow(api: Api, kind: Kind, store: Store, news: queue.SimpleQueue[str]) -> None:
    pause = _FIRST_PAUSE
    version = ""
    silent = False
    while True:
        try:
            if not version:
                items, version = api.list(kind)
                store.replace(kind, items)
                news.put(kind.name)
            pause, silent = _FIRST_PAUSE, False
            for change in api.watch(kind, version):
                version = str(change.item["metadata"]["resourceVersion"])
                store.change(kind, change)
                news.put(kind.name)
        except MissingError as error:
            version = ""
            _log.debug("%s: %s", kind.plural, error)
            pause = _wait(pause)
        except ApiError as error:
            problem = "the API refuses" if error.status else "the API is away"
            _log.log(logging.DEBUG if silent else logging.WARNING, "%s: %s: %s", kind.plural, problem, error)
            version, silent = "", True
            pause = _wait(pause)


def _wait(pause: float) -> float:
    time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads requests, guards nothing
    return min(pause * 2, _LONGEST_PAUSE)
