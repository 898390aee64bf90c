"""A stand-in for a publisher of software: serves files over HTTP on loopback, with the faults that publishers have."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Publisher:
    """What is served, and how. cuts: how many answers are still cut off half-way. asked: ranges, in order of requests.

    slow: it sends a few bytes and then nothing for a while. ranges: whether it can go on where it stopped.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: int = 0
    slow: bool = False
    ranges: bool = True
    status: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def publishing(publisher: Publisher) -> Iterator[Publisher]:
    """The publisher at work on a free port, until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            publisher.asked.append((self.path, self.headers.get("Range", "")))
            content = publisher.files.get(self.path)
            if content is None or publisher.status:
                self.send_error(publisher.status or 404)
                return
            start = 0
            wanted = self.headers.get("Range", "")
            if publisher.ranges and wanted.startswith("bytes="):
                start = int(wanted.removeprefix("bytes=").split("-")[0])
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self._send(content[start:])

        def _send(self, content: bytes) -> None:
            if publisher.slow:
                self.wfile.write(content[:10])
                self.wfile.flush()
                time.sleep(4)
            elif publisher.cuts:
                publisher.cuts -= 1
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
            else:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    publisher.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """A port of this host that nothing listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
