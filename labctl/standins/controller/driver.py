"""Bringing HAProxy to a wanted configuration and keeping it alive: files, runtime API, reload, restart."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from labctl.standins.controller.configuration import Change, Configuration, Paths, change_between, map_text, render
from labctl.standins.controller.haproxy import HAProxy, RuntimeApi
from labctl.standins.errors import ConfigurationError, RuntimeApiError, StandInError
from labctl.standins.files import write_file

# Seconds between attempts to start or reload HAProxy; one that ran for the third begins again with the first.
_FIRST_PAUSE, _LONGEST_PAUSE, _RAN_WELL = 0.2, 10.0, 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders that the flags name. Names inside are the real controller's (pkg/haproxy/env/main.go, v3.2)."""

    config: Path
    runtime: Path

    @property
    def haproxy_cfg(self) -> Path:
        """The configuration that HAProxy runs."""
        return self.config / "haproxy.cfg"

    @property
    def candidate(self) -> Path:
        """Where HAProxy checks a configuration before it replaces the running one."""
        return self.config / "candidate"

    @property
    def maps(self) -> Path:
        """The folder of the map files."""
        return self.config / "maps"

    @property
    def pidfile(self) -> Path:
        """Pid of HAProxy's master, written by HAProxy."""
        return self.runtime / "haproxy.pid"

    @property
    def runtime_socket(self) -> Path:
        """HAProxy's runtime API."""
        return self.runtime / "haproxy-runtime-api.sock"

    @property
    def master_socket(self) -> Path:
        """The command line of HAProxy's master."""
        return self.runtime / "haproxy-master.sock"

    def create(self) -> None:
        """Create the folders. Raises OSError."""
        for folder in (self.maps, self.candidate / "maps", self.runtime):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, configuration: Configuration) -> None:
        """Write the maps, then haproxy.cfg. Raises OSError, ConfigurationError."""
        self._write_all(configuration, self.config)

    def write_candidate(self, configuration: Configuration) -> Path:
        """Write it beside the running one. Returns its haproxy.cfg. Raises OSError, ConfigurationError."""
        return self._write_all(configuration, self.candidate)

    def map_file(self, name: str) -> Path:
        """The file of one map, which is also its name in the runtime API."""
        return self.maps / f"{name}.map"

    def _write_all(self, configuration: Configuration, folder: Path) -> Path:
        paths = Paths(maps=folder / "maps", pidfile=self.pidfile, runtime_socket=self.runtime_socket)
        text = render(configuration, paths)
        for name, rows in configuration.maps.items():
            write_file(folder / "maps" / f"{name}.map", map_text(rows))
        write_file(folder / "haproxy.cfg", text)
        return folder / "haproxy.cfg"


class Driver:
    """Holds the configuration that HAProxy runs, or will run as soon as it can, and brings HAProxy there."""

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
        self._started_at = 0.0

    @property
    def running(self) -> Configuration:
        """The configuration on disk, which HAProxy runs."""
        return self._running

    def start(self) -> None:
        """Write the first configuration and start HAProxy. Raises OSError, StandInError."""
        self._folders.create()
        self._haproxy.check(self._folders.write_candidate(self._running))
        self._folders.write(self._running)
        self._attempt(time.monotonic())

    def apply(self, wanted: Configuration) -> None:
        """Bring HAProxy to a configuration. If HAProxy refuses it, log that and keep the last one."""
        if wanted == self._refused:
            return
        change = change_between(self._running, wanted)
        if not change:
            return
        started = time.perf_counter()
        try:
            if change.reload:
                self._haproxy.check(self._folders.write_candidate(wanted))
            self._folders.write(wanted)
        except (ConfigurationError, OSError) as error:
            _log.error("%s; keeping the last configuration", error)
            self._refused = wanted
            return
        self._running, self._refused = wanted, None
        if not self._haproxy.running:
            _log.info("the configuration has changed while HAProxy is not running; it will be used at the next start")
        elif change.reload:
            self._reload_due = True
            self._next_attempt = 0.0
            _log.info("reload: %s", "; ".join(change.reload))
            self.tick()
        else:
            self._change_at_runtime(change, started)

    def tick(self) -> None:
        """Do what is due: a start, after a pause that grows with each end in a row, or a reload."""
        now = time.monotonic()
        status = self._haproxy.exit_status()
        if status is not None:
            if now - self._started_at > _RAN_WELL:
                self._pause = _FIRST_PAUSE
            _log.error("HAProxy ended with status %d; restarting it in %.1f s", status, self._pause)
            self._postpone(now)
        elif now >= self._next_attempt and (self._reload_due or not self._haproxy.started):
            self._attempt(now)

    def stop(self, *, seconds: float) -> None:
        """Stop HAProxy, gracefully for so many seconds."""
        self._haproxy.stop(seconds=seconds)

    def _change_at_runtime(self, change: Change, started: float) -> None:
        try:
            self._runtime.set_servers(change.slots)
            for name in change.maps:
                self._runtime.replace_map(str(self._folders.map_file(name)), self._running.maps[name])
        except RuntimeApiError as error:
            _log.warning("%s; reloading instead", error)
            self._reload_due = True
            self.tick()
            return
        for item in change.slots:
            _log.info("backend %s: %s is %s", item.backend, item.slot, item.server or "free")
        if change.maps:
            _log.info("changed rows in map %s", ", ".join(change.maps))
        _log.info("changed without a reload in %.0f ms", 1000 * (time.perf_counter() - started))

    def _attempt(self, now: float) -> None:
        started = time.perf_counter()
        word = "reloaded" if self._haproxy.started else "started"
        try:
            if self._haproxy.started:
                self._haproxy.reload()
            else:
                self._haproxy.start()
                self._started_at = now
            self._worker = self._runtime.wait_for_worker(other_than=self._worker, alive=lambda: self._haproxy.running)
        except StandInError as error:
            status = self._haproxy.exit_status()
            reason = error if status is None else f"HAProxy ended with status {status} before it served requests"
            _log.error("%s; trying again in %.1f s", reason, self._pause)
            self._postpone(time.monotonic())
            return
        self._reload_due = False
        seconds = time.perf_counter() - started
        _log.info("HAProxy %s (master %d, worker %d) in %.0f ms", word, self._haproxy.pid, self._worker, 1000 * seconds)

    def _postpone(self, now: float) -> None:
        self._next_attempt = now + self._pause
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)
