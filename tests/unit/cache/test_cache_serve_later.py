"""A cache at an address that this host does not have yet, where the system lets nobody listen there before (macOS)."""

from __future__ import annotations

import errno
import socket
import urllib.request
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.publisher import free_port

from labctl.cache import serve
from labctl.errors import HostError

LOOPBACK = IPv4Address("127.0.0.1")


class Later:
    """Lets nobody listen until it was asked so often."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, attempts: int, number: int = errno.EADDRNOTAVAIL) -> None:
        self.left, self.number, self.bound = attempts, number, serve._bound
        monkeypatch.setattr(serve, "_bound", self.listen)
        monkeypatch.setattr(serve, "_AGAIN_SECONDS", 0.02)

    def listen(self, address: IPv4Address, port: int) -> socket.socket:
        self.left -= 1
        if self.left >= 0:
            raise OSError(self.number, "no")
        return self.bound(address, port)


def answer(port: int) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(200):
        try:
            with opener.open(f"http://127.0.0.1:{port}/what.txt", timeout=5) as found:
                return str(found.read().decode())
        except OSError:
            serve.time.sleep(0.05)
    return "no answer"


def test_it_is_served_from_when_the_address_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "what.txt").write_text("a package")
    later, port = Later(monkeypatch, 5), free_port()
    with serve.serving(tmp_path, LOOPBACK, port):
        assert answer(port) == "a package"
    assert later.left == -1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(LOOPBACK), port), timeout=5)


def test_it_ends_where_the_address_never_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Later(monkeypatch, 10**6)
    with serve.serving(tmp_path, LOOPBACK, free_port()):
        pass
    assert later.left < 10**6


def test_a_port_that_is_taken_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Later(monkeypatch, 10**6, errno.EADDRINUSE)
    with pytest.raises(HostError, match="cannot be served"), serve.serving(tmp_path, LOOPBACK, free_port()):
        pass


def test_a_second_server_of_the_same_cache_waits_for_the_first(tmp_path: Path) -> None:
    (tmp_path / "contents.json").write_text('{"needs": {"the image app": {}}}')
    (tmp_path / "what.txt").write_text("a package")
    port = free_port()
    with serve.serving(tmp_path, LOOPBACK, port), serve.serving(tmp_path, LOOPBACK, port):
        assert answer(port) == "a package"
    serve.listen(tmp_path, LOOPBACK, port).close()


def test_a_server_of_another_cache_is_in_the_way(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "contents.json").write_text(f'{{"needs": {{"{name}": {{}}}}}}')
    port = free_port()
    with serve.serving(tmp_path / "other", LOOPBACK, port), pytest.raises(HostError, match="cannot be served"):
        serve.listen(tmp_path / "mine", LOOPBACK, port)
