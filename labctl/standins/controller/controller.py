"""The loop: take what the followers tell, work out what HAProxy shall run, bring HAProxy there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from labctl.standins.controller.config import configure
from labctl.standins.controller.driver import Driver
from labctl.standins.controller.rules import Ours, route
from labctl.standins.controller.store import Store
from labctl.standins.controller.watch import Follower, ListsAndWatches, Lost, Resource, Skipped, Told

logger = logging.getLogger(__name__)

# Seconds: events that come this close together are one change; but no change waits longer than the second.
_QUIET, _LONGEST_WAIT = 0.02, 0.2
_TICK = 0.1
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """HAProxy has ended by itself: its driver has something to do."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The controller shall end. reason: for the log. status: of the program."""

    reason: str
    status: int = 0


Message = Told | Ended | Stop


class Controller:
    """Runs until told to stop. inbox: where followers, HAProxy's watcher and signals put their messages."""

    def __init__(
        self, resources: tuple[Resource, ...], ours: Ours, driver: Driver, inbox: SimpleQueue[Message]
    ) -> None:
        self._resources = resources
        self._ours = ours
        self._driver = driver
        self._inbox = inbox
        self._store = Store(resource.kind for resource in resources)
        self._away: set[str] = set()
        self._said: frozenset[str] = frozenset()

    def run(self, api: Callable[[], ListsAndWatches]) -> int:
        """Start HAProxy, follow the API, and go on until Stop, whose status it returns.

        Raises OSError, ControllerError at the start only.
        """
        self._driver.begin()
        followers = [Follower(api, resource, self._inbox.put) for resource in self._resources]
        for follower in followers:
            follower.start()
        while True:
            different = False
            for message in self._messages():
                if isinstance(message, Stop):
                    level = logging.CRITICAL if message.status else logging.INFO
                    logger.log(level, "%s: the controller ends, and HAProxy with it", message.reason)
                    for follower in followers:
                        follower.stop()
                    self._driver.stop(seconds=_GRACE)
                    return message.status
                different |= self._take(message)
            if different and self._store.complete:
                self._follow()
            self._driver.tick()

    def _messages(self) -> Iterator[Message]:
        """The messages that came close together; none after a tick without one."""
        end = time.monotonic() + _LONGEST_WAIT
        pause = _TICK
        while True:
            try:
                yield self._inbox.get(timeout=pause)
            except Empty:
                return
            if time.monotonic() >= end:
                return
            pause = _QUIET

    def _take(self, message: Told | Ended) -> bool:
        if isinstance(message, Ended):
            return False
        if isinstance(message, Skipped):
            logger.warning("%s: %s", message.kind, message.reason)
            return False
        if isinstance(message, Lost):
            if message.kind not in self._away:
                logger.warning("%s cannot be followed (%s); the last configuration stays", message.kind, message.reason)
            self._away.add(message.kind)
            return False
        if message.kind in self._away:
            self._away.discard(message.kind)
            logger.info("%s is followed again", message.kind)
        complete_before = self._store.complete
        different = self._store.take(message)
        if self._store.complete and not complete_before:
            logger.info("the API has been read: %s", ", ".join(resource.kind for resource in self._resources))
        return different

    def _follow(self) -> None:
        routing = route(self._store.cluster(), self._ours)
        for reason in routing.refused:
            if reason not in self._said:
                logger.warning("%s", reason)
        self._said = frozenset(routing.refused)
        self._driver.apply(configure(self._driver.running, routing))
