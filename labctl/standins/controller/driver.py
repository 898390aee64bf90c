"""Bringing HAProxy to a wanted configuration and keeping it alive: files, runtime API, reload, start after an end."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from labctl.standins.controller.change import Change, change
from labctl.standins.controller.config import Configuration, server_address
from labctl.standins.controller.errors import ConfigurationError, ControllerError, RuntimeApiError
from labctl.standins.controller.files import Folders
from labctl.standins.controller.process import HAProxy
from labctl.standins.controller.runtime import RuntimeApi

logger = logging.getLogger(__name__)

# Seconds between attempts to start or reload HAProxy; a HAProxy that ran this long starts the count anew.
_FIRST_PAUSE, _LONGEST_PAUSE, _RAN_WELL = 0.2, 10.0, 30.0


class Driver:
    """Holds the configuration that HAProxy runs (or shall run as soon as it can) and makes it so."""

    def __init__(self, first: Configuration, folders: Folders, haproxy: HAProxy, runtime: RuntimeApi) -> None:
        self._running = first
        self._refused: Configuration | None = None
        self._folders = folders
        self._haproxy = haproxy
        self._runtime = runtime
        self._worker = 0
        self._reload_due = False
        self._next_attempt = 0.0
        self._pause = _FIRST_PAUSE
        self._started = 0.0

    @property
    def running(self) -> Configuration:
        """The configuration on disk, which HAProxy runs."""
        return self._running

    def begin(self) -> None:
        """Write the first configuration and start HAProxy. Raises OSError, ControllerError: nothing helps then."""
        self._folders.create()
        self._haproxy.check(self._folders.write_candidate(self._running))
        self._folders.write(self._running)
        self._attempt(time.monotonic())

    def apply(self, wanted: Configuration) -> None:
        """Bring HAProxy to a configuration. One that HAProxy refuses is logged and not loaded."""
        if wanted == self._refused:
            return
        what = change(self._running, wanted)
        if not what:
            return
        started = time.perf_counter()
        try:
            if what.reload:
                self._haproxy.check(self._folders.write_candidate(wanted))
            self._folders.write(wanted)
        except (ConfigurationError, OSError) as error:
            logger.error("%s; the last configuration stays", error)
            self._refused = wanted
            return
        self._running, self._refused = wanted, None
        if not self._haproxy.running:
            logger.info("the configuration has changed while HAProxy is not running: it is used at the next start")
        elif what.reload:
            self._reload_due = True
            self._next_attempt = 0.0
            logger.info("reload: %s", "; ".join(what.reload))
            self.tick()
        else:
            self._at_once(what, started)

    def tick(self) -> None:
        """Do what is due: a start, after a pause that grows with each end in a row, or a reload."""
        now = time.monotonic()
        status = self._haproxy.take_end()
        if status is not None:
            if now - self._started > _RAN_WELL:
                self._pause = _FIRST_PAUSE
            logger.error("HAProxy has ended with status %d; it is started again in %.1f s", status, self._pause)
            self._later(now)
        elif now >= self._next_attempt and (self._reload_due or not self._haproxy.started):
            self._attempt(now)

    def stop(self, *, seconds: float) -> None:
        """End HAProxy, gracefully for so many seconds."""
        self._haproxy.stop(seconds=seconds)

    def _at_once(self, what: Change, started: float) -> None:
        try:
            self._runtime.set_servers(what.servers)
            for name in what.maps:
                self._runtime.replace_map(str(self._folders.map_file(name)), self._running.maps[name])
        except RuntimeApiError as error:
            logger.warning("%s; reload instead", error)
            self._reload_due = True
            self.tick()
            return
        for item in what.servers:
            place = f"is {server_address(item.endpoint)}" if item.endpoint else "is free"
            logger.info("backend %s: %s %s", item.backend, item.server, place)
        if what.maps:
            logger.info("other rows in map %s", ", ".join(what.maps))
        logger.info("done without a reload, in %.0f ms", 1000 * (time.perf_counter() - started))

    def _attempt(self, now: float) -> None:
        started = time.perf_counter()
        word = "reloaded" if self._haproxy.started else "started"
        try:
            if self._haproxy.started:
                self._haproxy.reload()
            else:
                self._haproxy.start()
                self._started = now
            self._worker = self._runtime.wait_for_worker(other_than=self._worker, alive=lambda: self._haproxy.running)
        except ControllerError as error:
            status = self._haproxy.take_end()
            words = error if status is None else f"HAProxy has ended with status {status} before it served"
            logger.error("%s; tried again in %.1f s", words, self._pause)
            self._later(time.monotonic())
            return
        self._reload_due = False
        seconds = time.perf_counter() - started
        logger.info(
            "HAProxy is %s (master %d, worker %d), in %.0f ms", word, self._haproxy.pid, self._worker, 1000 * seconds
        )

    def _later(self, now: float) -> None:
        self._next_attempt = now + self._pause
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)


def folders_of(config_dir: Path, runtime_dir: Path) -> Folders:
    """The folders that the flags name, absolute."""
    return Folders(config=config_dir.absolute(), runtime=runtime_dir.absolute())
