"""Terminals: what is typed and shown, who shares one, what a reload shows, and how one ends."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect
from support.served_class import Class, until

from labctl.errors import RemoteError
from labctl.web.app import ENDED
from labctl.web.store import TEACHER
from labctl.web.terminals import KEPT_BYTES, Terminal, Viewer

pytestmark = pytest.mark.real_program("sh")


def read_until(socket: Any, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        seen += socket.receive_bytes()
    return seen


def test_a_student_types_and_after_a_reload_sees_the_last_screen(class_: Class):
    with class_.terminal("seat01") as socket:
        socket.send_text(json.dumps({"columns": 100, "rows": 30}))
        socket.send_bytes(b"x=4; echo $((x * 10 + 2))\n")
        read_until(socket, b"42")
    with class_.terminal("seat01") as again:
        assert b"42" in again.receive_bytes()
        again.send_bytes(b"echo still $x\n")
        read_until(again, b"still 4")
    assert len(class_.server.commands) == 1 and class_.server.commands[0].endswith("bash -l")
    assert [row[3] for row in class_.store.audited()] == ["opened the terminal of worker1"] * 2


def test_the_teacher_joins_and_the_student_is_told(class_: Class):
    with class_.terminal("seat01") as student:
        student.send_bytes(b"echo $((1000 + 1))\n")
        read_until(student, b"1001")
        assert class_.state()["joined"] == []
        with class_.terminal(TEACHER) as teacher:
            assert b"1001" in teacher.receive_bytes()
            assert class_.state()["joined"] == ["worker1"]
            teacher.send_bytes(b"echo $((2000 + 2))\n")
            read_until(student, b"2002")
        until(lambda: class_.state()["joined"] == [])


def test_seats_do_not_share_a_terminal(class_: Class):
    with class_.terminal("seat01") as one, class_.terminal("seat02", "seat02") as other:
        one.send_bytes(b"echo $((1000 + 1))\n")
        read_until(one, b"1001")
        other.send_bytes(b"echo $((2000 + 2))\n")
        assert b"1001" not in read_until(other, b"2002")


def test_a_shell_that_ends_says_so_and_the_next_one_is_new(class_: Class):
    with class_.terminal("seat01") as socket:
        socket.send_bytes(b"exit\n")
        read_until(socket, b"[the shell has ended]")
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_bytes()
        assert ended.value.code == ENDED
    with class_.terminal("seat01") as again:
        again.send_bytes(b"echo $((3000 + 3))\n")
        assert b"ended" not in read_until(again, b"3003")


def test_a_machine_that_goes_away_under_an_open_terminal_ends_it(class_: Class):
    with class_.terminal("seat01") as socket:
        socket.send_bytes(b"echo $((1000 + 1))\n")
        read_until(socket, b"1001")
        class_.server.cut()
        read_until(socket, b"[the connection to the machine has ended]")


SIZES = ["", "[]", "{}", '{"columns": "wide", "rows": 1}', '{"columns": 1e999, "rows": 1}', "{" * 999]


@pytest.mark.parametrize("text", SIZES)
def test_a_strange_size_ends_the_connection_and_nothing_else(class_: Class, text: str):
    with class_.terminal("seat01") as socket:
        socket.send_text(text or "x")
        with pytest.raises(WebSocketDisconnect):
            while True:
                socket.receive_bytes()
    assert class_.get("/", "seat01").status_code == 200


def test_one_person_may_not_open_terminals_without_end(class_: Class, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("labctl.web.app._MOST_STREAMS", 2)
    with class_.terminal("seat01"), class_.terminal("seat01", machine="worker2"):
        with pytest.raises(WebSocketDisconnect), class_.terminal("seat01", machine="ingress"):
            pass
        with class_.terminal("seat02", "seat02") as other:
            other.send_bytes(b"echo $((2000 + 2))\n")
            read_until(other, b"2002")


class Channel:
    """Prints much, and takes no keys."""

    exit_status = 0

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def terminal(self, *_: object, **__: object) -> Channel:
        return self

    def recv(self, _size: int) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""

    def sendall(self, _keys: bytes) -> None:
        time.sleep(60)

    def close(self) -> None:
        pass


def test_a_browser_that_does_not_read_is_hung_up_on_and_delays_nobody():
    async def run() -> tuple[Viewer, bytes]:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        slow = Viewer("seat01", loop)
        start = asyncio.Event()

        def connect() -> Any:
            asyncio.run_coroutine_threadsafe(start.wait(), loop).result()
            return Channel([b"%06d\n" % number * 100 for number in range(400)])

        terminal = Terminal(connect, lambda _: None, lambda _: loop.call_soon_threadsafe(ended.set))
        terminal.attach(slow)
        start.set()
        await asyncio.wait_for(ended.wait(), 60)
        await asyncio.sleep(0.1)
        return slow, bytes(terminal._kept)

    slow, kept = asyncio.run(run())
    assert slow.behind and slow.chunks.qsize() <= 128
    assert len(kept) <= KEPT_BYTES and kept.startswith(b"000") and b"000399\n" in kept


def test_keys_that_the_machine_does_not_take_hold_up_nobody():
    terminal = Terminal(_blocked, lambda _: None, lambda _: None)
    started = time.monotonic()
    for _ in range(10_000):
        terminal.type(b"x" * 1000)
    assert time.monotonic() - started < 5
    terminal.close()


def _blocked() -> Any:
    time.sleep(1)
    raise RemoteError("it does not answer")


def test_a_machine_that_cannot_be_reached_is_named(class_: Class):
    class_.server.access.known_hosts.write_text("")
    with class_.terminal("seat01") as socket:
        assert "no SSH connection to worker1" in read_until(socket, b"]").decode()
