"""A person at the class's pages, without a browser: requests, what the pages follow, and terminals."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.sync.client import ClientConnection, connect

from labctl.web.security import COOKIE

_OPEN_SECONDS = 60
"""On a busy machine, a terminal opens late; how late is a benchmark's business."""


class Visitor:
    """Somebody who has opened their link. authority: the certificate that the pages' one was signed with."""

    def __init__(self, link: str, authority: Path) -> None:
        parts = urlsplit(link)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.tls = ssl.create_default_context(cafile=str(authority))
        self._client = httpx.Client(base_url=self.url, verify=self.tls, headers={"Origin": self.url}, timeout=60)
        assert self.post("/api/enter", token=parts.fragment) == 204

    @property
    def headers(self) -> dict[str, str]:
        """What the browser sends with each request."""
        return {"Origin": self.url, "Cookie": f"{COOKIE}={self._client.cookies[COOKIE]}"}

    def post(self, path: str, **body: object) -> int:
        """Do something; returns the status."""
        return self._client.post(path, json=body).status_code

    def panel(self, path: str, name: str) -> Any:
        """What the page shows now, for example the panel ``state`` of ``/api/live``."""
        with self._client.stream("GET", path) as stream:
            assert stream.status_code == 200
            event = ""
            for line in stream.iter_lines():
                word, _, text = line.partition(": ")
                event = text if word == "event" else event
                if word == "data" and event == name:
                    return json.loads(text)
        raise AssertionError(f"{path} ended without {name}")

    def terminal(self, seat: str, machine: str) -> ClientConnection:
        """A terminal."""
        address = f"{self.url.replace('https', 'wss')}/api/seats/{seat}/terminals/{machine}"
        headers = {"Cookie": self.headers["Cookie"]}
        return connect(address, ssl=self.tls, additional_headers=headers, origin=self.url, open_timeout=_OPEN_SECONDS)


def printed(terminal: ClientConnection, word: bytes, seconds: float = 60) -> bytes:
    """What a terminal prints until it has printed that word."""
    seen = b""
    while word not in seen:
        seen += bytes(terminal.recv(timeout=seconds))
    return seen
