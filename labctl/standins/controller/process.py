"""HAProxy as a child process, in master-worker mode and in the foreground, as long as the controller runs.

Start, reload and stop are the real controller's (pkg/haproxy/process/direct-control.go, v3.2): ``-W -S master.sock``,
SIGUSR2, SIGUSR1. Other than there the child is watched, and started again when it ends.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from labctl.standins.controller.errors import ConfigurationError, ProcessError, RuntimeApiError
from labctl.standins.controller.files import Folders
from labctl.standins.controller.master import MasterApi

logger = logging.getLogger(__name__)

_CHECK_SECONDS = 20.0
_KILL_SECONDS = 3.0
_AGAIN_SECONDS = 0.2


class HAProxy:
    """One HAProxy. on_end is called, in a thread of its own, each time it ends by itself: take_end tells more."""

    def __init__(self, program: Path, folders: Folders, *, on_end: Callable[[], None]) -> None:
        self._program = program
        self._folders = folders
        self._master = MasterApi(folders.master_socket)
        self._on_end = on_end
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    @property
    def running(self) -> bool:
        """Whether the master process is there."""
        return self._child is not None and self._child.poll() is None

    @property
    def started(self) -> bool:
        """Whether it has been started, and no end of it taken note of since."""
        return self._child is not None

    def take_end(self) -> int | None:
        """The exit status of a HAProxy that has ended, once; None otherwise."""
        if self._child is None or self.running:
            return None
        status = self._child.returncode
        self._child = None
        return status

    @property
    def pid(self) -> int:
        """The master's pid, 0 where there is none."""
        return self._child.pid if self._child is not None and self.running else 0

    def check(self, haproxy_cfg: Path) -> None:
        """Let HAProxy read a configuration without running it. Raises ConfigurationError with HAProxy's own words."""
        command = [str(self._program), "-c", "-f", str(haproxy_cfg)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigurationError(f"HAProxy could not check its configuration: {error}") from error
        if done.returncode:
            alerts = [line.strip() for line in done.stderr.splitlines() if "ALERT" in line]
            reason = "; ".join(alerts) or done.stderr.strip() or f"exit status {done.returncode}"
            raise ConfigurationError(f"HAProxy refuses the configuration: {reason}")

    def start(self) -> None:
        """Start the master. Raises ProcessError."""
        master = f"{self._folders.master_socket},level,admin"
        command = [str(self._program), "-W", "-S", master, "-f", str(self._folders.haproxy_cfg)]
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise ProcessError(f"HAProxy cannot be started: {error}") from error
        threading.Thread(target=self._wait, args=(self._child,), name="haproxy", daemon=True).start()

    def reload(self) -> None:
        """Tell the master to read its configuration again; connections go on in the old worker. Raises ProcessError."""
        if self._child is None or not self.running:
            raise ProcessError("HAProxy is not running")
        self._child.send_signal(signal.SIGUSR2)

    def stop(self, *, seconds: float) -> None:
        """End HAProxy: gracefully for so many seconds, then at once."""
        self._stopping.set()
        if self._child is None:
            return
        end, sign = time.monotonic() + seconds, signal.SIGUSR1
        # A master that is just taking up a new configuration loses a signal: it is sent until the master ends.
        while not self._ended(self._child, sign, _AGAIN_SECONDS):
            if self._idle():
                sign = (
                    signal.SIGTERM
                )  # HAProxy 3.0 would wait 3 s more for the peer in its configuration, which is itself.
            if time.monotonic() >= end:
                logger.warning("HAProxy has not ended gracefully within %g s", seconds)
                break
        else:
            return
        if not self._ended(self._child, signal.SIGTERM, _KILL_SECONDS):
            self._ended(self._child, signal.SIGKILL, _KILL_SECONDS)

    def _idle(self) -> bool:
        try:
            return self._master.connections() == 0
        except RuntimeApiError:
            return False

    @staticmethod
    def _ended(child: subprocess.Popen[bytes], sign: signal.Signals, seconds: float) -> bool:
        if child.poll() is None:
            child.send_signal(sign)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _wait(self, child: subprocess.Popen[bytes]) -> None:
        child.wait()
        if not self._stopping.is_set():
            self._on_end()
