"""HAProxy as a child process with its two sockets: the runtime API of the worker and the command line of the master.

The child runs in master-worker mode and in the foreground, as long as the controller runs. Start, reload and stop are
the real controller's (pkg/haproxy/process/direct-control.go, v3.2): ``-W -S master.sock``, SIGUSR2, SIGUSR1. Unlike
there the child is watched, and started again when it ends.

Source of the commands: HAProxy 3.0 Management Guide, section 9.3 ("Unix Socket commands": ``set server``,
``prepare map``, ``add map``, ``commit map``, ``show info``, ``set severity-output``) and 9.4 ("Master CLI":
``show proc``, ``@!PID COMMAND``).
"""

from __future__ import annotations

import logging
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from labctl.standins.controller.configuration import SlotChange
from labctl.standins.errors import ConfigurationError, ProcessError, RuntimeApiError

_CHECK_SECONDS = 20.0
_KILL_SECONDS = 3.0
_WORKER_SECONDS = 10.0
_SIGNAL_AGAIN_SECONDS = 0.2
# A command line must fit HAProxy's buffer (tune.bufsize, 16384 bytes).
_MAX_COMMAND = 8000
# With "severity-output number" every message starts with its syslog level: 3 (error) and below are refusals.
_REFUSAL = re.compile(r"^\[[0-3]\]:\s*(.*)$", re.MULTILINE)
_SEVERITY = "set severity-output number"

_log = logging.getLogger(__name__)


class RuntimeApi:
    """A client of one socket; one connection per request. deadline: seconds that a request may take."""

    def __init__(self, path: Path, *, deadline: float = 3.0) -> None:
        self._path = path
        self._deadline = deadline

    def set_servers(self, changes: Sequence[SlotChange]) -> None:
        """Give slots their servers. Raises RuntimeApiError."""
        for line in _joined(_slot_commands(changes)):
            self._ask(f"{_SEVERITY}; {line}")

    def replace_map(self, name: str, rows: Sequence[str]) -> None:
        """Replace the rows of a map in one step: requests see the old rows or the new. Raises RuntimeApiError."""
        answer = self._ask(f"prepare map {name}")
        found = re.search(r"New version created: (\d+)", answer)
        if not found:
            raise RuntimeApiError(f"HAProxy did not prepare map {name}: {answer.strip()!r}")
        for payload in _joined(rows, separator="\n"):
            self._ask(f"add map @{found[1]} {name} <<\n{payload}\n")
        self._ask(f"commit map @{found[1]} {name}")

    def worker_pid(self) -> int:
        """The process that serves traffic. Raises RuntimeApiError."""
        answer = self._ask("show info")
        found = re.search(r"^Pid: (\d+)$", answer, re.MULTILINE)
        if not found:
            raise RuntimeApiError("HAProxy does not report its pid")
        return int(found[1])

    def wait_for_worker(self, *, other_than: int, alive: Callable[[], bool]) -> int:
        """Wait until a worker (another than the given pid) answers; returns its pid.

        alive: whether HAProxy still runs. Raises RuntimeApiError.
        """
        end = time.monotonic() + _WORKER_SECONDS
        while True:
            try:
                pid = self.worker_pid()
                if pid != other_than:
                    return pid
                reason = f"the worker is still process {pid}"
            except RuntimeApiError as error:
                reason = str(error)
            if not alive():
                raise RuntimeApiError("HAProxy ended before it served requests")
            if time.monotonic() >= end:
                raise RuntimeApiError(f"no new worker of HAProxy within {_WORKER_SECONDS:g} s: {reason}")
            time.sleep(0.02)

    def _ask(self, command: str) -> str:
        try:
            answer = _exchange(self._path, command, deadline=self._deadline)
        except OSError as error:
            raise RuntimeApiError(f"HAProxy's runtime API: {error or type(error).__name__}") from error
        refusal = _REFUSAL.search(answer) or re.match(r"(Unknown (?:map|command)[^\n]*)", answer)
        if refusal:
            raise RuntimeApiError(f"HAProxy refused: {refusal[1]}")
        return answer


class _MasterApi:
    """A client of the master's socket. deadline: seconds that an answer may take."""

    def __init__(self, path: Path, *, deadline: float = 1.0) -> None:
        self._path = path
        self._deadline = deadline

    def connections(self) -> int:
        """Clients' connections of all workers, those of earlier configurations too. Raises RuntimeApiError."""
        workers = re.findall(r"^(\d+)\s+worker\b", self._ask("show proc"), re.MULTILINE)
        return sum(self._connections_of(worker) for worker in workers)

    def _connections_of(self, worker: str) -> int:
        found = re.search(r"^CurrConns: (\d+)$", self._ask(f"@!{worker} show info"), re.MULTILINE)
        if not found:
            raise RuntimeApiError(f"HAProxy's worker {worker} does not report its connections")
        return int(found[1])

    def _ask(self, command: str) -> str:
        try:
            # The master keeps the connection open until it hears that no other command follows.
            return _exchange(self._path, command, deadline=self._deadline, last=True)
        except OSError as error:
            raise RuntimeApiError(f"HAProxy's master: {error or type(error).__name__}") from error


class HAProxy:
    """One HAProxy. on_end is called, in a thread of its own, each time it ends by itself; see exit_status."""

    def __init__(self, program: Path, haproxy_cfg: Path, master_socket: Path, *, on_end: Callable[[], None]) -> None:
        self._program = program
        self._haproxy_cfg = haproxy_cfg
        self._master_socket = master_socket
        self._master = _MasterApi(master_socket)
        self._on_end = on_end
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    @property
    def running(self) -> bool:
        """Whether the master process runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def started(self) -> bool:
        """Whether it has been started, and exit_status has not returned its end since."""
        return self._child is not None

    def exit_status(self) -> int | None:
        """The exit status of a HAProxy that has ended, once per end; None otherwise."""
        if self._child is None or self.running:
            return None
        status = self._child.returncode
        self._child = None
        return status

    @property
    def pid(self) -> int:
        """The master's pid, 0 if there is none."""
        return self._child.pid if self._child is not None and self.running else 0

    def check(self, haproxy_cfg: Path) -> None:
        """Let HAProxy check a configuration. Raises ConfigurationError with HAProxy's own words."""
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
        master = f"{self._master_socket},level,admin"
        command = [str(self._program), "-W", "-S", master, "-f", str(self._haproxy_cfg)]
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise ProcessError(f"HAProxy cannot be started: {error}") from error
        threading.Thread(target=self._wait, args=(self._child,), name="haproxy", daemon=True).start()

    def reload(self) -> None:
        """Let the master reload its configuration; connections stay with the old worker. Raises ProcessError."""
        if self._child is None or not self.running:
            raise ProcessError("HAProxy is not running")
        self._child.send_signal(signal.SIGUSR2)

    def stop(self, *, seconds: float) -> None:
        """Stop HAProxy: gracefully for so many seconds, then at once."""
        self._stopping.set()
        if self._child is None:
            return
        end, sign = time.monotonic() + seconds, signal.SIGUSR1
        # A master that is just loading a new configuration loses a signal: it is sent until the master ends.
        while not self._ended(self._child, sign, _SIGNAL_AGAIN_SECONDS):
            if self._idle():
                # HAProxy 3.0 would wait 3 s more for the peer in its configuration, which is itself.
                sign = signal.SIGTERM
            if time.monotonic() >= end:
                _log.warning("HAProxy has not ended gracefully within %g s", seconds)
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


def _exchange(path: Path, command: str, *, deadline: float, last: bool = False) -> str:
    """One command and its whole answer. last: tell HAProxy that no other command follows. Raises OSError."""
    end = time.monotonic() + deadline
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(deadline)
        connection.connect(str(path))
        connection.sendall(f"{command}\n".encode())
        if last:
            connection.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while chunk := connection.recv(65536):
            answer += chunk
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer did not end in time")
            connection.settimeout(left)
    return answer.decode(errors="replace")


def _slot_commands(changes: Iterable[SlotChange]) -> Iterator[str]:
    for item in changes:
        server = f"set server {item.backend}/{item.slot}"
        if item.server is None:
            # Out of service first: no request may go to the placeholder's address.
            yield f"{server} state maint; {server} addr 127.0.0.1 port 1"
        else:
            yield f"{server} addr {item.server.address} port {item.server.port}; {server} state ready"


def _joined(parts: Iterable[str], *, separator: str = "; ") -> Iterator[str]:
    """The parts, joined into pieces that each fit HAProxy's buffer."""
    piece: list[str] = []
    length = 0
    for part in parts:
        size = len(part.encode()) + len(separator)
        if piece and length + size > _MAX_COMMAND:
            yield separator.join(piece)
            piece, length = [], 0
        piece.append(part)
        length += size
    if piece:
        yield separator.join(piece)
