"""A STAND-IN for the Kubernetes API: TLS with a client's certificate of the lab's authority, and fixed answers."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from labctl.secrets import keys
from labctl.secrets.keys import KeyPair, Subject

Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


@dataclass
class Api:
    """Where it is, and what it was asked: (user, group, method, path, connection's port)."""

    url: str = ""
    seen: list[tuple[str, str, str, str, int]] = field(default_factory=list)


@contextmanager
def api(folder: Path, authority: KeyPair, answer: Answer) -> Iterator[Api]:
    """It listens on the loopback while the context lasts. answer: from a request's JSON to status and body."""
    own = keys.issue(authority, Subject("kube-apiserver", (), ("localhost",), (IPv4Address("127.0.0.1"),)))
    (folder / "server.pem").write_bytes(own.certificate + own.key)
    (folder / "ca.crt").write_bytes(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    told = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            subject = dict(part[0] for part in self.connection.getpeercert()["subject"])  # type: ignore[attr-defined]
            who = (subject["commonName"], subject.get("organizationName", ""))
            told.seen.append((*who, self.command, self.path, self.client_address[1]))
            status, body = answer(asked)
            # The API server indents JSON for curl and browsers (apiserver/pkg/endpoints/handlers/negotiation).
            indented = self.headers.get("User-Agent", "").startswith("curl")
            data = json.dumps(body, indent=2 if indented else None).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _reply  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    told.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
