"""Who may ask for what: sessions, origins, limits, and the headers of every answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from labctl.web.store import SESSION_SECONDS, TEACHER, Store

COOKIE = "__Host-class"  # browsers take it over TLS only, and for no other host (RFC 6265bis, 4.1.3)
MOST_BODY_BYTES = 4096
_BODY_SECONDS = 10.0
_MOST_KEYS = 10_000


class RateLimit:
    """At most so many events in so many seconds, for each key."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._events: dict[str, deque[float]] = {}

    def allows(self, key: str) -> bool:
        """Whether one more is allowed now; it is counted if it is."""
        now = time.monotonic()
        if len(self._events) > _MOST_KEYS:
            self._events = {name: times for name, times in self._events.items() if times[-1] > now - self._seconds}
        times = self._events.setdefault(key, deque([now - self._seconds], self._most))
        if len(times) == self._most and times[0] > now - self._seconds:
            return False
        times.append(now)
        return True


def require(allowed: bool, status: int = 403, why: str = "not allowed") -> None:
    """Refuse the request unless it is allowed."""
    if not allowed:
        raise HTTPException(status, why)


class Door:
    """Lets people in by their tokens, and says who they are by their cookies."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._attempts = RateLimit(60, 60)  # a whole class may come from one address
        self._actions = RateLimit(40, 10)

    def person(self, connection: HTTPConnection) -> str | None:
        """Whose request this is."""
        return self._store.session(connection.cookies.get(COOKIE, ""))

    def require_person(self, connection: HTTPConnection, *, action: bool = False) -> str:
        """Whose request this is; refused if there is no session. action: it changes something, so it is counted."""
        person = self.person(connection)
        if person is None:
            raise HTTPException(401, "not signed in")
        require(not action or self._actions.allows(person), 429, "too many requests")
        return person

    def require_teacher(self, connection: HTTPConnection, *, action: bool = False) -> None:
        """Refuse everybody but the teacher."""
        require(self.require_person(connection, action=action) == TEACHER)

    def require_seat(self, connection: HTTPConnection, *, action: bool = False) -> str:
        """Who asks for the seat in the path: its student or the teacher. Everybody else is refused."""
        person = self.require_person(connection, action=action)
        require(person in (TEACHER, connection.path_params["seat"]))
        return person

    def enter(self, request: Request, token: object) -> Response:
        """Exchange a token for a cookie."""
        address = request.client.host if request.client else ""
        require(self._attempts.allows(address), 429, "too many attempts; wait a minute")
        person = self._store.person_of(token) if isinstance(token, str) else None
        if person is None:
            self._store.audit(address, "", "a wrong link was refused")
            raise HTTPException(403, "this link is not valid any more")
        self._store.audit(person, "" if person == TEACHER else person, f"came from {address}")
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE,
            self._store.start_session(person),
            max_age=int(SESSION_SECONDS),
            secure=True,
            httponly=True,
            samesite="strict",
        )
        return response

    def leave(self, request: Request) -> Response:
        """End the session."""
        self._store.end_session(request.cookies.get(COOKIE, ""))
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
        return response


async def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object; refused if it is large, slow, or something else."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                require(len(body) <= MOST_BODY_BYTES, 413, "too large")
        found = json.loads(body or b"{}")
    except TimeoutError as error:
        raise HTTPException(408, "too slow") from error
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "no JSON") from error
    require(isinstance(found, dict), 400, "no JSON object")
    return dict(found)


class OwnOriginOnly:
    """Refuses what a page of another site asks for: what changes something, and WebSockets, which no other rule stops.

    url: where this class is served.
    """

    def __init__(self, app: ASGIApp, url: str) -> None:
        parts = urlsplit(url)
        self._app, self._origin = app, f"{parts.scheme}://{parts.netloc}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers: Mapping[bytes, bytes] = dict(scope.get("headers", ()))
        harmless = scope["type"] == "lifespan" or (scope["type"] == "http" and scope["method"] in ("GET", "HEAD"))
        if harmless or headers.get(b"origin") == self._origin:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        else:
            await Response("from another origin", 403)(scope, receive, send)
