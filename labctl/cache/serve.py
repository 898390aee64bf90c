"""A cache over HTTP: its files as they lie in the folder, and its images as a registry has them. It only reads.

Sources: OCI distribution specification 1.1, "Pull"; containerd, docs/hosts.md (override_path).
"""

from __future__ import annotations

import errno
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from labctl.cache.contents import Contents
from labctl.cache.images import blob_file, layout
from labctl.errors import HostError
from labctl.http_server import server_config

# linux/in.h: bind to an address that this host gets only when the lab's network is made. Python has no name for it.
_IP_FREEBIND = 15
_SECONDS = 10
_AGAIN_SECONDS = 0.5
_HEX = frozenset("0123456789abcdef")


def make_app(folder: Path) -> Starlette:
    """The application that serves a cache's folder."""
    methods = ["GET", "HEAD"]
    return Starlette(
        routes=[
            Route("/v2/", _version, methods=methods),
            Route("/v2/{registry}/{repository:path}/manifests/{reference}", _manifest(folder), methods=methods),
            Route("/v2/{registry}/{repository:path}/blobs/{digest}", _blob(folder), methods=methods),
            Mount("/", StaticFiles(directory=folder, check_dir=False)),
        ]
    )


Endpoint = Callable[[Request], Awaitable[Response]]


async def _version(_request: Request) -> Response:
    return JSONResponse({})


def _manifest(folder: Path) -> Endpoint:
    async def answer(request: Request) -> Response:
        names = request.path_params
        reference = names["reference"]
        if not _is_digest(reference):
            home = layout(folder, names["registry"], names["repository"], reference)
            try:
                text = (_inside(folder, home) / "index.json").read_text(encoding="utf-8")
            except (OSError, ValueError):
                return _unknown("MANIFEST_UNKNOWN")
            reference = json.loads(text)["manifests"][-1]["digest"]
        file = blob_file(folder, reference)
        if not file.is_file():
            return _unknown("MANIFEST_UNKNOWN")
        content = file.read_bytes()
        kind = json.loads(content).get("mediaType") or "application/vnd.oci.image.manifest.v1+json"
        return Response(content, media_type=kind, headers={"Docker-Content-Digest": reference})

    return answer


def _blob(folder: Path) -> Endpoint:
    async def answer(request: Request) -> Response:
        digest = request.path_params["digest"]
        file = blob_file(folder, digest)
        if not _is_digest(digest) or not file.is_file():
            return _unknown("BLOB_UNKNOWN")
        return FileResponse(file, media_type="application/octet-stream", headers={"Docker-Content-Digest": digest})

    return answer


def _is_digest(text: str) -> bool:
    algorithm, _, value = text.partition(":")
    return algorithm == "sha256" and len(value) == 64 and set(value) <= _HEX


def _inside(folder: Path, path: Path) -> Path:
    """The path, if it is in the folder. Raises ValueError for one that leads out of it."""
    path.resolve().relative_to(folder.resolve())
    return path


def _unknown(code: str) -> Response:
    return JSONResponse({"errors": [{"code": code}]}, status_code=404)


def listen(folder: Path, address: IPv4Address, port: int) -> socket.socket:
    """A socket on one address of this host, which it need not have yet (Linux).

    Waits while another labctl serves the same cache there. Raises HostError if something else has the address.
    """
    while True:
        try:
            return _bound(address, port)
        except OSError as error:
            if not is_served(folder, address, port):
                raise _taken(address, port, error) from error
        time.sleep(_AGAIN_SECONDS)


def is_served(folder: Path, address: IPv4Address, port: int) -> bool:
    """Whether something serves this very cache there."""
    try:
        return Contents.read(f"http://{address}:{port}") == Contents.read(str(folder))
    except HostError:
        return False


def _taken(address: IPv4Address, port: int, error: OSError) -> HostError:
    return HostError(
        f"the cache cannot be served at {address}:{port}",
        why=error.strerror or "",
        next_step="labctl cache serve --address … --port …, and its URL as sources.cache in labctl.yaml",
    )


def _bound(address: IPv4Address, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if hasattr(socket, "AF_NETLINK"):  # Linux
            listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        listener.bind((str(address), port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def make_server(folder: Path) -> uvicorn.Server:
    """The server; run([listener]) serves until it is interrupted."""
    return uvicorn.Server(server_config(make_app(folder)))


@contextmanager
def serving(folder: Path, address: IPv4Address, port: int) -> Iterator[None]:
    """Serve a cache while the block runs: from the start, or from when this host has the address.

    VirtualBox gives it the address of a network when the first machine of it starts, and only Linux lets a program
    listen before. Where `labctl cache serve` serves the same cache already, that goes on. Raises HostError if
    something else has the port.
    """
    ended, server = threading.Event(), make_server(folder)
    try:
        listener = _bound(address, port)
    except OSError as error:
        if is_served(folder, address, port):
            yield
            return
        if error.errno != errno.EADDRNOTAVAIL:
            raise _taken(address, port, error) from error
        listener = None

    def serve() -> None:
        mine = listener or _bound_later(address, port, ended)
        if mine:
            with mine:
                server.run([mine])

    thread = threading.Thread(target=serve, name="cache", daemon=True)
    thread.start()
    until = time.monotonic() + _SECONDS
    while listener and not server.started and time.monotonic() < until:
        time.sleep(0.02)
    try:
        yield
    finally:
        ended.set()
        server.should_exit = True
        thread.join()


def _bound_later(address: IPv4Address, port: int, ended: threading.Event) -> socket.socket | None:
    """A socket there as soon as this host has the address; None if it all ended before."""
    while not ended.wait(_AGAIN_SECONDS):
        with suppress(OSError):
            return _bound(address, port)
    return None
