"""The HTTP server for everything that labctl serves, with limits against slow and oversized requests."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

# Limits for the request line and the headers: seconds until they are complete, and bytes.
REQUEST_SECONDS = 10.0
MOST_HEADER_BYTES = 16 * 1024
# Further connections get a 503. A lab has few machines, and a projector needs one browser.
MOST_CONNECTIONS = 200


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which also closes a connection without a request. (uvicorn itself never does.)"""

    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timeout()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._start_timeout()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._stop_timeout()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timeout()
        super().connection_lost(exc)

    def _start_timeout(self) -> None:
        self._stop_timeout()
        self._timeout = self.loop.call_later(REQUEST_SECONDS, self._close_if_idle)

    def _stop_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class _SmallRequests:
    """Refuses requests with large headers. (h11 accepts them if they arrive in one piece.)"""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        app = self._app if size <= MOST_HEADER_BYTES else Response(status_code=431)
        await app(scope, receive, send)


def server_config(app: ASGIApp, **own: Any) -> uvicorn.Config:
    """The configuration of uvicorn: it logs nothing, and exits within a second when it is stopped.

    own: further settings of uvicorn, or others in place of these.
    """
    settings: dict[str, Any] = {
        "http": _Protocol,
        "h11_max_incomplete_event_size": MOST_HEADER_BYTES,
        "limit_concurrency": MOST_CONNECTIONS,
        "lifespan": "off",
        "log_config": None,
        "log_level": "critical",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "ws": "none",
        "timeout_graceful_shutdown": 1,
    }
    return uvicorn.Config(_SmallRequests(app), **settings | own)
