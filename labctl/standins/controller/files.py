"""The controller's files: one folder for the configuration, one for sockets and pid; written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from labctl.standins.controller.config import Configuration, Paths, render
from labctl.standins.controller.maps import map_text


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
        """Where a configuration is tried before it takes the place of the running one."""
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
        """Make the folders. Raises OSError."""
        for folder in (self.maps, self.candidate / "maps", self.runtime):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, configuration: Configuration) -> None:
        """Write the maps, then haproxy.cfg. Raises OSError, ConfigurationError."""
        self._write_all(configuration, self.config)

    def write_candidate(self, configuration: Configuration) -> Path:
        """Write it beside the running one; returns its haproxy.cfg. Raises OSError, ConfigurationError."""
        return self._write_all(configuration, self.candidate)

    def map_file(self, name: str) -> Path:
        """The file of one map, which is also its name in the runtime API."""
        return self.maps / f"{name}.map"

    def _write_all(self, configuration: Configuration, folder: Path) -> Path:
        paths = Paths(maps=folder / "maps", pidfile=self.pidfile, runtime_socket=self.runtime_socket)
        text = render(configuration, paths)
        for name, rows in configuration.maps.items():
            write_whole(folder / "maps" / f"{name}.map", map_text(rows))
        write_whole(folder / "haproxy.cfg", text)
        return folder / "haproxy.cfg"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new; an unchanged file is left alone. Raises OSError."""
    data = text.encode()
    if path.is_file() and path.read_bytes() == data:
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
