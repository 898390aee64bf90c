"""HAProxy's runtime API: change servers and maps of the running process, over its Unix socket.

Source: HAProxy 3.0 Management Guide, section 9.3 ("Unix Socket commands"): ``set server``, ``prepare map``,
``add map``, ``commit map``, ``show info``, ``set severity-output``.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from labctl.standins.controller.change import ServerChange
from labctl.standins.controller.errors import RuntimeApiError

# A command line must fit HAProxy's buffer (tune.bufsize, 16384 bytes).
_MAX_COMMAND = 8000
# With "severity-output number" every message starts with its syslog level: 3 (error) and below are refusals.
_REFUSAL = re.compile(r"^\[[0-3]\]:\s*(.*)$", re.MULTILINE)
_SEVERITY = "set severity-output number"


class RuntimeApi:
    """A client of one socket; one connection per request. deadline: seconds that a request may take."""

    def __init__(self, path: Path, *, deadline: float = 3.0) -> None:
        self._path = path
        self._deadline = deadline

    def set_servers(self, changes: Sequence[ServerChange]) -> None:
        """Give servers their endpoints, at once. Raises RuntimeApiError."""
        for line in _joined(_server_commands(changes)):
            self._ask(f"{_SEVERITY}; {line}")

    def replace_map(self, name: str, rows: Sequence[str]) -> None:
        """Put other rows into a map in one step: requests see the old rows or the new. Raises RuntimeApiError."""
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
            raise RuntimeApiError("HAProxy does not tell its pid")
        return int(found[1])

    def wait_for_worker(self, *, other_than: int, alive: Callable[[], bool], deadline: float = 10.0) -> int:
        """Wait until a worker (another than the given pid) answers; returns its pid.

        alive: whether HAProxy is there to wait for. Raises RuntimeApiError.
        """
        end = time.monotonic() + deadline
        while True:
            try:
                pid = self.worker_pid()
                if pid != other_than:
                    return pid
                reason = f"the worker is still process {pid}"
            except RuntimeApiError as error:
                reason = str(error)
            if not alive():
                raise RuntimeApiError("HAProxy has ended before it served")
            if time.monotonic() >= end:
                raise RuntimeApiError(f"no new worker of HAProxy within {deadline:g} s: {reason}")
            time.sleep(0.02)

    def _ask(self, command: str) -> str:
        try:
            answer = exchange(self._path, command, deadline=self._deadline)
        except OSError as error:
            raise RuntimeApiError(f"HAProxy's runtime API: {error or type(error).__name__}") from error
        refusal = _REFUSAL.search(answer) or re.match(r"(Unknown (?:map|command)[^\n]*)", answer)
        if refusal:
            raise RuntimeApiError(f"HAProxy refused: {refusal[1]}")
        return answer


def exchange(path: Path, command: str, *, deadline: float, no_more: bool = False) -> str:
    """One command and its whole answer. no_more: tell HAProxy that no other command follows. Raises OSError."""
    end = time.monotonic() + deadline
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(deadline)
        connection.connect(str(path))
        connection.sendall(f"{command}\n".encode())
        if no_more:
            connection.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while chunk := connection.recv(65536):
            answer += chunk
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer did not end in time")
            connection.settimeout(left)
    return answer.decode(errors="replace")


def _server_commands(changes: Iterable[ServerChange]) -> Iterator[str]:
    for item in changes:
        server = f"set server {item.backend}/{item.server}"
        if item.endpoint is None:
            # Out of service first: no request may go to the placeholder's address.
            yield f"{server} state maint; {server} addr 127.0.0.1 port 1"
        else:
            yield f"{server} addr {item.endpoint.address} port {item.endpoint.port}; {server} state ready"


def _joined(parts: Iterable[str], *, separator: str = "; ") -> Iterator[str]:
    """The parts, joined to pieces that each fit HAProxy's buffer."""
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
