"""The web application of a class: its pages, what they follow, and what they may do."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from labctl.errors import LabctlError
from labctl.http_server import server_config
from labctl.watch.server import Panels, StreamingServer, WithHeaders, page_file, picture_css, text_answer
from labctl.web import marks
from labctl.web.classroom import Classroom
from labctl.web.idle import IdleLimit
from labctl.web.seat import LiveSeat
from labctl.web.security import Door, OwnOriginOnly, json_body, require
from labctl.web.store import TEACHER
from labctl.web.terminals import Terminal, Viewer

_MOST_MESSAGE_BYTES = 16 * 1024
_MOST_CONNECTIONS = 4000  # each page has a stream, and a WebSocket per terminal
_MOST_STREAMS = 40  # of one person
_SESSION_CHECK_SECONDS = 20.0
_SLOW_SECONDS = 20.0
_STATIC, _WATCH = Path(__file__).parent / "static", Path(__file__).parents[1] / "watch" / "page"
_FILES = {
    **dict.fromkeys(("enter.js", "student.js", "teacher.js", "shared.js", "terminal.js", "class.css"), _STATIC),
    **dict.fromkeys(("xterm.js", "xterm.css", "addon-fit.js"), _STATIC / "vendor"),
    **dict.fromkeys(("live.js", "live.css"), _WATCH),
}
ENDED, BEHIND = 4001, 4002
"""Why a terminal's WebSocket is closed: the shell has ended; the browser was too slow and may come back."""


def make_app(room: Classroom, url: str) -> Starlette:
    """The application. url: where browsers reach it."""
    pages = _Pages(room)
    static = [Route(f"/{name}", page_file(name, folder)) for name, folder in _FILES.items()]
    routes = [
        *static,
        Route("/picture.css", text_answer(picture_css(), "css")),
        Route("/", pages.home),
        Route("/enter", page_file("enter.html", _STATIC)),
        Route("/api/enter", pages.enter, methods=["POST"]),
        Route("/api/leave", pages.leave, methods=["POST"]),
        Route("/api/board", pages.board),
        Route("/api/class/{action}", pages.class_action, methods=["POST"]),
        Route("/api/marks/{format}", pages.marks),
        Route("/api/audit", pages.audit),
        Route("/api/live", pages.own_seat),
        Route("/api/seats/{seat}/live", pages.live),
        Route("/api/seats/{seat}/{action}", pages.seat_action, methods=["POST"]),
        WebSocketRoute("/api/seats/{seat}/terminals/{machine}", pages.terminal),
    ]
    middleware = [
        Middleware(WithHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=[urlsplit(url).hostname or ""], www_redirect=False),
        Middleware(OwnOriginOnly, url=url),
    ]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: _error})


class _WebSocket(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which cannot close a WebSocket that its browser is just closing (uvicorn 0.54)."""

    def shutdown(self) -> None:
        """The server ends."""
        with suppress(InvalidState):
            super().shutdown()


class _Server(StreamingServer):
    """A server without many connections that ask for nothing."""

    def __init__(self, room: Classroom, url: str, settings: dict[str, Any]) -> None:
        self._limit = IdleLimit(make_app(room, url), behind_proxy="proxy_headers" in settings)
        config = server_config(
            self._limit,
            limit_concurrency=_MOST_CONNECTIONS,
            ws=_WebSocket,
            ws_max_size=_MOST_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            **settings,
        )
        super().__init__(config, room.stop)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on these sockets, until it is interrupted."""
        super().run([self._limit.listener(one) for one in sockets or ()])


def make_server(room: Classroom, url: str, **settings: Any) -> StreamingServer:
    """The server; run([listener]) serves until it is interrupted. settings: more of uvicorn's, for TLS or a proxy."""
    return _Server(room, url, settings)


async def _error(_request: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


class _Pages:
    """The answers. Every method begins with who may have it."""

    def __init__(self, room: Classroom) -> None:
        self._room, self._door = room, Door(room.store)
        self._open: Counter[str] = Counter()
        self._home = {
            True: page_file("teacher.html", _STATIC),
            False: page_file("student.html", _STATIC),
        }

    async def home(self, request: Request) -> Response:
        """The teacher's or the student's page."""
        person = self._door.person(request)
        return RedirectResponse("/enter", 303) if person is None else await self._home[person == TEACHER](request)

    async def enter(self, request: Request) -> Response:
        """Exchange the token of a link for a cookie."""
        return self._door.enter(request, (await json_body(request)).get("token"))

    async def leave(self, request: Request) -> Response:
        """End the session."""
        self._door.require_person(request)
        return self._door.leave(request)

    async def own_seat(self, request: Request) -> Response:
        """The student's own seat as it changes: their page does not know yet which that is."""
        person = self._door.require_person(request)
        require(person in self._room.seats, 404, "no such seat")
        return self._stream(request, person, self._room.seats[person].panels[person])

    async def live(self, request: Request) -> Response:
        """A seat as it changes. The student's stream has no root causes."""
        person = self._door.require_seat(request)
        return self._stream(request, person, self._seat(request).panels[person])

    async def board(self, request: Request) -> Response:
        """All seats as they change."""
        self._door.require_teacher(request)
        return self._stream(request, TEACHER, self._room.board)

    async def seat_action(self, request: Request) -> Response:
        """What a student does: asks for a hint, skips a task, asks for help."""
        person = self._door.require_seat(request, action=True)
        seat, body = self._seat(request), await json_body(request)
        action, task = request.path_params["action"], body.get("task")
        require(action == "help" or isinstance(task, str), 400, "task: expected a string")
        actions: dict[str, Callable[[], object]] = {
            "help": lambda: seat.ask_for_help(body.get("wanted") is True),
            "hint": lambda: seat.hint(str(task)),
            "skip": lambda: seat.skip(str(task)),
        }
        require(action in actions, 404, "no such action")
        self._room.store.audit(person, seat.name, f"{action} {task or ''}")
        return await _do(actions[action])

    async def class_action(self, request: Request) -> Response:
        """What the teacher does, to one seat or to all."""
        self._door.require_teacher(request, action=True)
        room, body, action = self._room, await json_body(request), request.path_params["action"]
        seat, text = body.get("seat", ""), body.get("text", "")
        require(seat == "" or (isinstance(seat, str) and seat in room.seats), 404, "no such seat")
        require(isinstance(text, str) and len(text) <= 500, 400, "text: expected at most 500 characters")
        seed, level = _number(body, "seed", 0, 999_999_999), _number(body, "level", 1, 3)
        minutes = _number(body, "minutes", 1, 600) or 45
        actions: dict[str, Callable[[], object]] = {
            "break": lambda: room.break_(seat, seed, level, hidden=body.get("hidden") is not False),
            "repair": lambda: room.repair(seat),
            "reset": lambda: room.reset(seat),
            "exercise": lambda: room.exercise(seat, begin=body.get("begin") is not False),
            "start-exam": lambda: room.start_exam(minutes, seed, level),
            "end-exam": room.end_exam,
            "message": lambda: room.send_message(text.strip()),
        }
        require(action in actions, 404, "no such action")
        return await _do(actions[action])

    async def marks(self, request: Request) -> Response:
        """The marks as a file, or for the page's table."""
        self._door.require_teacher(request)
        attempts, name = self._room.store.attempts(), request.path_params["format"]
        if name == "table":
            return JSONResponse(marks.sums(attempts))
        require(name in marks.FORMATS, 404, "no such format")
        kind, text_of = marks.FORMATS[name]
        end = "xml" if name == "junit" else name
        return _download(text_of(attempts), kind, f"marks.{end}")

    async def audit(self, request: Request) -> Response:
        """Who did what, as CSV."""
        self._door.require_teacher(request)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("time", "who", "seat", "what"))
        for at, *words in self._room.store.audited():
            writer.writerow((time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)), *words))
        return _download(text.getvalue(), "text/csv", "audit.csv")

    async def terminal(self, socket: WebSocket) -> None:
        """A terminal on a machine of the seat. Bytes are keys and output, a text is the window's size."""
        person, seat = self._door.require_seat(socket), self._seat(socket)
        machine = socket.path_params["machine"]
        require(machine in {known.name for known in seat.lab.machines}, 404, "no such machine")
        with self._counted(person):
            await socket.accept()
            self._room.store.audit(person, seat.name, f"opened the terminal of {machine}")
            viewer = Viewer(person, asyncio.get_running_loop())
            try:
                terminal = await asyncio.to_thread(seat.attach, machine, viewer)
            except LabctlError as error:
                await socket.send_bytes(f"[{error.what}]\r\n".encode())
                await socket.close(ENDED)
                return
            try:
                await _first_of(
                    _receive(socket, seat, terminal, person), _send(socket, viewer), self._until_signed_out(socket)
                )
            finally:
                seat.detach(terminal, viewer)

    def _seat(self, connection: HTTPConnection) -> LiveSeat:
        seat = self._room.seats.get(connection.path_params["seat"])
        if seat is None:
            raise HTTPException(404, "no such seat")
        return seat

    @contextmanager
    def _counted(self, person: str) -> Iterator[None]:
        require(self._open[person] < _MOST_STREAMS, 429, "too many pages are open")
        self._open[person] += 1
        try:
            yield
        finally:
            self._open[person] -= 1

    def _stream(self, request: Request, person: str, panels: Panels) -> Response:
        require(self._open[person] < _MOST_STREAMS, 429, "too many pages are open")

        async def changes() -> AsyncIterator[str]:
            checked = time.monotonic()
            with self._counted(person):
                async with aclosing(panels.changes()) as parts:
                    async for part in parts:
                        yield part
                        if time.monotonic() > checked + _SESSION_CHECK_SECONDS:
                            checked = time.monotonic()
                            if self._door.person(request) != person:
                                return

        return StreamingResponse(changes(), media_type="text/event-stream")

    async def _until_signed_out(self, socket: WebSocket) -> None:
        person = self._door.person(socket)
        while person is not None and self._door.person(socket) == person:
            await asyncio.sleep(_SESSION_CHECK_SECONDS)
        await socket.close(1008)


async def _do(action: Callable[[], object]) -> Response:
    try:
        await asyncio.to_thread(action)
    except LabctlError as error:
        return JSONResponse({"error": error.what}, 409)
    return Response(status_code=204)


def _number(body: dict[str, Any], name: str, least: int, most: int) -> int | None:
    """An optional number; refused if it is something else."""
    value = body.get(name)
    if value is None:
        return None
    number = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    require(number, 400, f"{name}: expected a number from {least} to {most}")
    return int(value)


def _download(text: str, kind: str, name: str) -> Response:
    return Response(text, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def _first_of(*jobs: Awaitable[None]) -> None:
    """Run jobs side by side until one ends, and end the others."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            # A browser that has left makes the others fail, too: that is no error.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            task.cancel()


async def _send(socket: WebSocket, viewer: Viewer) -> None:
    async with asyncio.timeout(None) as limit:
        while (chunk := await viewer.chunks.get()) is not None:
            limit.reschedule(asyncio.get_running_loop().time() + _SLOW_SECONDS)
            await socket.send_bytes(chunk)
            limit.reschedule(None)
        await socket.close(BEHIND if viewer.behind else ENDED)


async def _receive(socket: WebSocket, seat: LiveSeat, terminal: Terminal, person: str) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        if keys := message.get("bytes"):
            terminal.type(keys)
            continue
        try:
            size = json.loads(message.get("text") or "")
            columns, rows = int(size["columns"]), int(size["rows"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            await socket.close(1008)
            return
        if person != TEACHER or seat.name not in terminal.people:  # the student's window decides
            terminal.resize(columns, rows)
