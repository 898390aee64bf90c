"""The HTTP server of everything that labctl serves, with its limits: nobody holds it up by silence or by mere size."""

from __future__ import annotations

import asyncio

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

# A request's line and headers: whole within so many seconds, and no more than so many bytes.
REQUEST_SECONDS = 10.0
MOST_HEADER_BYTES = 16 * 1024
# More connections than these are answered 503: a lab has few machines, a classroom's projector one browser.
MOST_CONNECTIONS = 200


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, which ends a connection on which no request comes. (uvicorn itself waits for ever.)"""

    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_a_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_a_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_a_request(self) -> None:
        self._stop_waiting()
        self._alarm = self.loop.call_later(REQUEST_SECONDS, self._end_if_silent)

    def _stop_waiting(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _end_if_silent(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class _SmallRequests:
    """Refuses a request whose headers are large: h11 takes such ones where they come in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        app = self._app if size <= MOST_HEADER_BYTES else Response(status_code=431)
        await app(scope, receive, send)


def server_config(app: ASGIApp) -> uvicorn.Config:
    """How uvicorn serves an application of labctl's: it says nothing, and ends a second after it was told to stop."""
    return uvicorn.Config(
        _SmallRequests(app),
        http=_Protocol,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        limit_concurrency=MOST_CONNECTIONS,
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=1,
    )
