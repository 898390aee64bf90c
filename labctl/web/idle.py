"""Connections that ask for nothing: only so many are kept open, and a newer one takes the place of the oldest."""

from __future__ import annotations

import socket
from contextlib import suppress

from starlette.types import ASGIApp, Receive, Scope, Send

# A whole class may come from one address, and a browser opens six connections and keeps them for some seconds. One with
# TLS takes about 300 KiB.
MOST_IDLE, MOST_IDLE_OF_ADDRESS = 600, 300

Peer = tuple[str, int]


class IdleLimit:
    """An application that knows which connections wait for its answer: all others, with TLS or not yet, are idle.

    behind_proxy: all connections are the proxy's, which has limits of its own.
    """

    def __init__(self, app: ASGIApp, *, behind_proxy: bool = False) -> None:
        self._app, self._behind_proxy = app, behind_proxy
        self._open: dict[Peer, socket.socket] = {}
        self._idle: dict[Peer, None] = {}  # the oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        peer = tuple(scope.get("client") or ("", 0))
        self._idle.pop(peer, None)
        try:
            await self._app(scope, receive, send)
        finally:
            self._rests(peer)

    def listener(self, listener: socket.socket) -> socket.socket:
        """The same listener, which tells about each connection that it accepts."""
        return listener if self._behind_proxy else _Listener(listener, self)

    def accepted(self, connection: socket.socket, peer: Peer) -> None:
        """A connection is new."""
        self._open = {one: known for one, known in self._open.items() if known.fileno() >= 0}
        self._open[peer] = connection
        self._rests(peer)

    def _rests(self, peer: Peer) -> None:
        """It asks for nothing now: hang up on the oldest such connection, if they are too many."""
        self._idle.pop(peer, None)
        self._idle = {one: None for one in (*self._idle, peer) if one in self._open}
        same = [one for one in self._idle if one[0] == peer[0]]
        for idle, most in ((same, MOST_IDLE_OF_ADDRESS), (list(self._idle), MOST_IDLE)):
            if len(idle) > most:
                self._idle.pop(idle[0], None)
                with suppress(OSError):  # it has just been closed
                    self._open.pop(idle[0]).shutdown(socket.SHUT_RDWR)


class _Listener(socket.socket):
    def __init__(self, listener: socket.socket, limit: IdleLimit) -> None:
        super().__init__(listener.family, listener.type, listener.proto, listener.detach())
        self._limit = limit

    def accept(self) -> tuple[socket.socket, Peer]:
        connection, peer = super().accept()
        self._limit.accepted(connection, peer[:2])
        return connection, peer
