"""The node's BIRD: a new configuration is checked before it is installed, and taken over without ending sessions.

BIRD itself is Debian's bird.service. The agent starts it once, when it installs its first configuration. After that it
never starts BIRD again: who stops bird.service to show what happens wants it to stay stopped. The configuration
goes on being written meanwhile, and BIRD reads it when it is started again.
"""

from __future__ import annotations

import grp
import logging
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from labctl.standins.calico.files import read_text, write_beside

_log = logging.getLogger(__name__)
_SECONDS = 30


class BirdError(Exception):
    """BIRD refuses the configuration, or could not be told of it."""


@dataclass(slots=True)
class Bird:
    """One BIRD. service: systemd's unit, empty where something else starts BIRD."""

    config: Path
    socket: Path
    service: str
    _ensured: bool = field(default=False, init=False)

    def install(self, text: str) -> None:
        """Make BIRD run with ``text``; nothing happens where it does already. Raises BirdError."""
        if read_text(self.config) != text:
            self._check_and_write(text)
            if not self._start_once():
                self._reconfigure()
        elif not self._ensured:
            self._start_once()
            self._reconfigure()

    def _check_and_write(self, text: str) -> None:
        beside = write_beside(self.config, text, mode=0o640, group=_group())
        done = _run(["bird", "-p", "-c", str(beside)])
        if done.returncode != 0:
            raise BirdError(f"BIRD refuses the configuration: {done.stderr.strip() or done.stdout.strip()}")
        beside.replace(self.config)

    def _start_once(self) -> bool:
        """Enable and start the service, the first time. True: it was started now, with the file as it is."""
        if self._ensured or not self.service:
            self._ensured = True
            return False
        running = _run(["systemctl", "is-active", "--quiet", self.service]).returncode == 0
        done = _run(["systemctl", "enable", "--now", self.service])
        if done.returncode != 0:
            raise BirdError(f"{self.service} does not start: {done.stderr.strip()}")
        self._ensured = True
        return not running

    def _reconfigure(self) -> None:
        done = _run(["birdc", "-s", str(self.socket), "configure"])
        said = (done.stdout + done.stderr).strip().splitlines()
        last = said[-1] if said else ""
        if "Unable to connect" in last:
            _log.warning("BIRD is not running; it will read %s when it starts", self.config)
        elif "econfigur" in last:
            _log.info("BIRD: %s", last)
        else:
            raise BirdError(f"birdc configure: {last}")


def _group() -> str | None:
    """BIRD reads its file as the user bird (Debian's unit); None where there is no such group."""
    try:
        return grp.getgrnam("bird").gr_name
    except KeyError:
        return None


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BirdError(f"{command[0]}: {error}") from error
