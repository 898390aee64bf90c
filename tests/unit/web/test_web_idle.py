"""Connections that ask for nothing are bounded; those that wait for an answer, and a new one, are served."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.served_class import SEATS, Class, until

from labctl.watch.server import listen
from labctl.web.app import make_server
from labctl.web.certificate import ensure_certificate
from labctl.web.idle import MOST_IDLE, MOST_IDLE_OF_ADDRESS, IdleLimit
from labctl.web.security import COOKIE

pytestmark = [pytest.mark.real_program("sh"), pytest.mark.network("127.0.0.0/8")]


@pytest.fixture
def kept() -> Iterator[list[socket.socket]]:
    """Connections that stay open until the server has ended."""
    found: list[socket.socket] = []
    yield found
    for connection in found:
        connection.close()


@pytest.fixture
def port(class_: Class, tmp_path: Path, kept: list[socket.socket]) -> Iterator[int]:
    listener = listen(0, "0.0.0.0")
    number = int(listener.getsockname()[1])
    certificate, key = ensure_certificate(tmp_path / "tls", "127.0.0.1")
    server = make_server(class_.room, f"https://127.0.0.1:{number}", ssl_certfile=certificate, ssl_keyfile=key)
    errors: list[Exception] = []

    def run() -> None:
        try:
            server.run([listener])
        except Exception as error:  # noqa: BLE001 - the test names it
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield number
    server.should_exit = True
    thread.join(timeout=60)
    assert errors == [] and not thread.is_alive()


def connect(port: int, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(address, 0))


def secure(connection: socket.socket) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname="127.0.0.1")


def ask(connection: ssl.SSLSocket, port: int, path: str, cookie: str = "") -> bytes:
    lines = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {COOKIE}={cookie}\r\n\r\n"
    connection.sendall(lines.encode())
    return connection.recv(4096)


def hung_up(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_thousand_open_sockets_do_no_harm(class_: Class, port: int):
    """From one address and from many: a student's stream goes on, and another student comes in."""
    cookie = class_.store.start_session(SEATS[0])
    stream = secure(connect(port))
    assert b"200 OK" in ask(stream, port, "/api/live", cookie)
    crowd = [connect(port, f"127.0.1.{number % 20 + 1}") for number in range(500)]
    crowd += [connect(port) for _ in range(500)]
    until(lambda: sum(not hung_up(one) for one in crowd) <= MOST_IDLE)
    mine = [one for one in crowd[500:] if not hung_up(one)]
    assert len(mine) <= MOST_IDLE_OF_ADDRESS
    assert crowd[-1] in mine, "the newest stays"
    assert b"200 OK" in ask(secure(connect(port)), port, "/enter")
    class_.room.seats[SEATS[0]].ask_for_help(True)
    until(lambda: b'"help": true' in stream.recv(65536))
    for one in crowd:
        one.close()


def test_the_server_ends_while_a_browser_closes_its_terminal(class_: Class, port: int, kept: list[socket.socket]):
    cookie = class_.store.start_session(SEATS[0])
    browser = secure(connect(port))
    kept.append(browser)
    browser.sendall(
        f"GET /api/seats/seat01/terminals/worker1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n"
        f"Origin: https://127.0.0.1:{port}\r\nCookie: {COOKIE}={cookie}\r\n\r\n".encode()
    )
    assert b"101 Switching" in browser.recv(4096)
    browser.sendall(b"\x88\x80\0\0\0\0")  # a close frame (RFC 6455, 5.5.1); the connection itself stays open
    terminals = class_.room.seats[SEATS[0]]._terminals
    until(lambda: terminals and not any(terminal.people for terminal in terminals.values()))


def test_who_waits_for_an_answer_is_not_idle_and_who_has_had_it_is():
    pairs = [socket.socketpair() for _ in range(MOST_IDLE_OF_ADDRESS + 2)]
    peers = [("192.0.2.1", number) for number in range(len(pairs))]

    async def application(*_: object) -> None:
        for (server, _client), peer in zip(pairs[1:-1], peers[1:-1], strict=True):
            limit.accepted(server, peer)

    async def nothing(*_: object) -> None:
        pass

    limit = IdleLimit(application)
    limit.accepted(pairs[0][0], peers[0])
    asyncio.run(limit({"type": "http", "client": list(peers[0])}, nothing, nothing))
    assert [hung_up(client) for _, client in pairs[:3]] == [False, True, False]
    limit.accepted(pairs[-1][0], peers[-1])
    assert [hung_up(client) for _, client in pairs[:3]] == [False, True, True]


def test_closed_connections_are_forgotten():
    async def nothing(*_: object) -> None:
        pass

    limit = IdleLimit(nothing)
    for number in range(3 * MOST_IDLE):
        one = socket.socket()
        limit.accepted(one, ("192.0.2.1", number))
        one.close()
    asyncio.run(limit({"type": "lifespan"}, nothing, nothing))
    assert len(limit._open) <= 1 and len(limit._idle) <= 1
