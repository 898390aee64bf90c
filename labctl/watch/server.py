"""The page and its server, which listens only on the loopback interface, for a browser on this host."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labctl.errors import HostError
from labctl.graph.svg import as_svg, styles
from labctl.http_server import server_config
from labctl.watch.changes import Event
from labctl.watch.view import View

KEEP_ALIVE_SECONDS = 5.0


class Panels:
    """The panels of the page. update() may be called from any thread; changes() runs in the server's event loop."""

    def __init__(self) -> None:
        self._panels: dict[str, str] = {}
        self._readers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()
        self._closed = False

    def update(self, view: View, events: tuple[Event, ...]) -> None:
        """Show this view."""
        self.put(
            verdict=asdict(view.verdict),
            picture={"svg": as_svg(view.picture, styled=False)},
            tables=[asdict(table) for table in view.tables],
            events=[asdict(event) for event in events],
        )

    def put(self, **panels: object) -> None:
        """Show these panels; the others stay."""
        texts = {name: json.dumps(panel, ensure_ascii=False) for name, panel in panels.items()}
        with self._lock:
            self._panels = {**self._panels, **texts}
            self._wake()

    @property
    def readers(self) -> int:
        """How many browsers follow the panels."""
        with self._lock:
            return len(self._readers)

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        for event, loop in self._readers.items():
            with suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(event.set)

    async def changes(self) -> AsyncGenerator[str, None]:
        """Server-sent events (WHATWG HTML, 9.2): all panels, then each that has changed, and keep-alive comments."""
        changed, sent = asyncio.Event(), dict[str, str]()
        changed.set()
        with self._lock:
            self._readers[changed] = asyncio.get_running_loop()
        try:
            while not self._closed:
                try:
                    await asyncio.wait_for(changed.wait(), KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield ": keep-alive\n\n"
                changed.clear()
                for name, text in self._panels.items():
                    if sent.get(name) != text:
                        sent[name] = text
                        yield f"event: {name}\ndata: {text}\n\n"
        finally:
            with self._lock:
                del self._readers[changed]


LOOPBACK = "127.0.0.1"
# A foreign page may use its own host name that resolves to 127.0.0.1 (DNS rebinding): other names are refused.
_NAMES = (LOOPBACK, "localhost")
_PAGE = Path(__file__).parent / "page"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
# Nothing on the page may come from elsewhere, and the picture has no inline styles.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def listen(port: int, address: str = LOOPBACK, *, other: str = "labctl watch --port 0") -> socket.socket:
    """A socket on an address of this host. port 0: any that is free. other: what to type if it is taken.

    Raises HostError if it is.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen()  # from now on, a fast browser waits instead of being refused
    except OSError as error:
        listener.close()
        raise HostError(
            f"port {port} of {address} cannot be used", why=error.strerror or "", next_step=other
        ) from error
    return listener


def make_app(panels: Panels) -> Starlette:
    """The page, its files, and the stream of changes."""
    routes = [
        Route("/", page_file("page.html")),
        *(Route(f"/{name}", page_file(name)) for name in ("page.css", "page.js", "live.css", "live.js")),
        Route("/picture.css", text_answer(picture_css(), "css")),
        Route("/changes", _stream_of(panels)),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=_NAMES, www_redirect=False),
            Middleware(WithHeaders),
        ],
    )


class WithHeaders:
    """Adds the headers to every answer. (Starlette's own BaseHTTPMiddleware would buffer a stream.)"""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *more]
            await send(message)

        await self._app(scope, receive, send_with_headers)


Endpoint = Callable[[Request], Awaitable[Response]]


def page_file(name: str, folder: Path = _PAGE) -> Endpoint:
    """Answers with a file of a page."""
    return text_answer((folder / name).read_text(encoding="utf-8"), name.rpartition(".")[2])


def text_answer(text: str, kind: str) -> Endpoint:
    """Answers with this text. kind: html, css or js."""

    async def answer(_request: Request) -> Response:
        return Response(text, media_type=_TYPES[kind])

    return answer


def _stream_of(panels: Panels) -> Endpoint:
    async def answer(_request: Request) -> Response:
        return StreamingResponse(panels.changes(), media_type="text/event-stream")

    return answer


def picture_css() -> str:
    """The picture's styles: light or dark, by the setting of the system or of the page."""
    light, dark = styles()
    return (
        f"{light}\n@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{\n{dark}\n}} }}\n"
        f":root[data-theme=dark] {{\n{dark}\n}}\n"
    )


class StreamingServer(uvicorn.Server):
    """A uvicorn server that ends the streams when it stops; otherwise it would wait for the browsers to leave."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, and then the server."""
        self._end_streams()
        await super().shutdown(sockets)


def make_server(panels: Panels) -> uvicorn.Server:
    """The server; run([listener]) serves until it is interrupted and then raises KeyboardInterrupt."""
    return StreamingServer(server_config(make_app(panels)), panels.close)
