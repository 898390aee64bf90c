"""A terminal on a machine of a seat: one shell, which browsers may leave and come back to, and which two may share."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import paramiko

from labctl.errors import LabctlError

# The last output, which a browser gets when it comes (back): a few screens.
KEPT_BYTES = 64 * 1024
# A browser that is so many chunks behind is hung up on; it comes back and gets the last screen.
_MOST_BEHIND = 128
_MOST_KEYS = 256 * 1024
_CHUNK = 8192
# A terminal that prints without end is slowed down to so much.
_BYTES_PER_SECOND = 1_000_000
_OPEN_SECONDS = 10.0
_SHELL = "exec env KUBECONFIG=/etc/kubernetes/admin.conf DATASTORE_TYPE=kubernetes LANG=C.UTF-8 bash -l"
COLUMNS, ROWS = (20, 500), (5, 200)
"""The sizes that a terminal may have."""


class MachineWithTerminal(Protocol):
    """One machine (labctl.ssh.connections.Connection)."""

    def terminal(self, command: str, *, columns: int, rows: int, deadline: float) -> paramiko.Channel:
        """A command in a terminal; raises RemoteError."""


class Viewer:
    """A browser that looks at a terminal. chunks: what it is to show; None is the end of the terminal."""

    def __init__(self, person: str, loop: asyncio.AbstractEventLoop) -> None:
        self.person = person
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_BEHIND)
        self.behind = False
        self._loop = loop

    def put(self, chunk: bytes | None) -> None:
        """May be called from any thread."""
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._put, chunk)

    def _put(self, chunk: bytes | None) -> None:
        if self.chunks.full():
            self.behind = True
            self.chunks.get_nowait()
            chunk = None
        self.chunks.put_nowait(chunk)


class Terminal:
    """A shell on one machine. It ends with the shell, or with the connection, and not with a browser.

    connect: connects to the machine. on_output: called with what it prints. on_end: called when it has ended.
    why: the reason, then.
    """

    def __init__(
        self,
        connect: Callable[[], MachineWithTerminal],
        on_output: Callable[[bytes], None],
        on_end: Callable[[Terminal], None],
    ) -> None:
        self._connect, self._on_output, self._on_end = connect, on_output, on_end
        self._keys, self._closing = bytearray(), False
        self._size: tuple[int, int] | None = None
        self._input = threading.Condition()
        self._kept = bytearray()
        self._viewers: set[Viewer] = set()
        self._lock = threading.Lock()
        self._ended = False
        self.why, self.last_key = "", 0.0
        threading.Thread(target=self._run, name="terminal", daemon=True).start()

    @property
    def people(self) -> frozenset[str]:
        """Who looks at it."""
        with self._lock:
            return frozenset(viewer.person for viewer in self._viewers)

    def attach(self, viewer: Viewer) -> bool:
        """Show the terminal to a browser, beginning with its last screen; False if it has ended."""
        with self._lock:
            if self._ended:
                return False
            self._viewers.add(viewer)
            if self._kept:
                viewer.put(bytes(self._kept))
            return True

    def detach(self, viewer: Viewer) -> None:
        """The browser has left; the shell goes on."""
        with self._lock:
            self._viewers.discard(viewer)

    def type(self, keys: bytes) -> None:
        """Pass on keys. They are dropped if the machine takes none: nobody waits for it."""
        self.last_key = time.time()
        with self._input:
            if len(self._keys) + len(keys) <= _MOST_KEYS:
                self._keys += keys
                self._input.notify()

    def resize(self, columns: int, rows: int) -> None:
        """Change the terminal's size, within what is allowed."""
        with self._input:
            self._size = (max(COLUMNS[0], min(COLUMNS[1], columns)), max(ROWS[0], min(ROWS[1], rows)))
            self._input.notify()

    def close(self) -> None:
        """Hang up."""
        with self._input:
            self._closing = True
            self._input.notify()

    def _run(self) -> None:
        try:
            channel = self._connect().terminal(_SHELL, columns=80, rows=24, deadline=_OPEN_SECONDS)
        except LabctlError as error:
            self._end(f"{error.what}{f': {error.why}' if error.why else ''}")
            return
        threading.Thread(target=self._send, args=(channel,), name="keys", daemon=True).start()
        try:
            while data := channel.recv(_CHUNK):
                self._show(data)
                time.sleep(len(data) / _BYTES_PER_SECOND)
        except (OSError, EOFError, paramiko.SSHException):
            pass
        channel.close()
        self._end("the shell has ended" if channel.exit_status >= 0 else "the connection to the machine has ended")

    def _send(self, channel: paramiko.Channel) -> None:
        with suppress(OSError, EOFError, paramiko.SSHException):
            while True:
                with self._input:
                    self._input.wait_for(lambda: self._keys or self._closing or self._size)
                    keys, size, closing = bytes(self._keys), self._size, self._closing
                    self._keys.clear()
                    self._size = None
                if closing:
                    break
                if size is not None:
                    channel.resize_pty(*size)
                channel.sendall(keys)
            channel.close()

    def _show(self, data: bytes) -> None:
        with self._lock:
            self._kept += data
            if len(self._kept) > KEPT_BYTES:
                # Cut at the beginning of a line, so that no half control sequence is shown.
                del self._kept[: self._kept.find(b"\n", len(self._kept) - KEPT_BYTES) + 1 or -KEPT_BYTES]
            viewers = tuple(self._viewers)
        for viewer in viewers:
            viewer.put(data)
        self._on_output(data)

    def _end(self, why: str) -> None:
        self.why = why
        self._show(f"\r\n[{why}]\r\n".encode())
        with self._lock:
            self._ended = True
            viewers = tuple(self._viewers)
        self.close()
        self._on_end(self)
        for viewer in viewers:
            viewer.put(None)
