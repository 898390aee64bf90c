"""The page's server: where it listens, whom it answers, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources

import pytest
from support.edits import with_objects
from support.labctl_process import labctl_command
from support.made_facts import make_facts, make_lab

from labctl.errors import HostError
from labctl.lab_directory import LabDirectory
from labctl.watch.changes import Event
from labctl.watch.server import Panels, listen, make_server
from labctl.watch.view import Verdict, View, make_view

# As it ends, it looks there for what it started.
pytestmark = [pytest.mark.real_program("python"), pytest.mark.host_file("/proc")]

LAB = make_lab()
EVIL = "<script>alert(1)</script>"


def view(title: str) -> View:
    def edit(items: list) -> None:
        next(item for item in items if item["metadata"]["name"].startswith("app-"))["metadata"]["name"] = EVIL

    return make_view(LAB, with_objects(make_facts(LAB), "pods", edit), Verdict("ok", title))


@pytest.fixture
def panels() -> Panels:
    panels = Panels()
    panels.update(view("fine"), (Event("10:00:00", EVIL),))
    return panels


@pytest.fixture
def port(panels: Panels) -> Iterator[int]:
    listener = listen(0)
    number = int(listener.getsockname()[1])
    server = make_server(panels)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield number
    server.should_exit = True
    thread.join(timeout=60)
    assert not thread.is_alive(), "an open stream does not keep the server"


def get(port: int, path: str, host: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
    return connection.getresponse()


def panel(answer: http.client.HTTPResponse, name: str) -> object:
    """The next panel of that name."""
    while answer.readline().decode() != f"event: {name}\n":
        pass
    return json.loads(answer.readline().decode().removeprefix("data: "))


def test_it_listens_on_the_loopback_alone():
    with listen(0) as listener:
        address, port = listener.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(HostError, match=f"port {port} of 127.0.0.1 cannot be used"):
            listen(port)
        with socket.socket() as other:
            other.settimeout(2)
            assert other.connect_ex(("127.0.0.2", port)) != 0


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::1", ""])
def test_a_page_under_another_name_is_refused(port: int, host: str):
    if host:
        assert get(port, "/changes", host).status == 400
        return
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("GET", "/", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:80"])
def test_its_own_names_are_answered_and_nothing_from_elsewhere_may_run(port: int, host: str):
    for path, kind in (("/", "html"), ("/page.css", "css"), ("/page.js", "javascript"), ("/picture.css", "css")):
        answer = get(port, path, host)
        assert answer.status == 200
        assert kind in answer.headers["content-type"]
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert not re.search(rb"https?://(?!127\.0\.0\.1|www\.w3\.org)", answer.read()), "the page works offline"
    assert get(port, "/nothing", host).status == 404
    assert get(port, "/../../etc/passwd", host).status == 404


def test_a_stream_says_everything_first_and_then_what_changes(port: int, panels: Panels):
    answer = get(port, "/changes")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert panel(answer, "verdict") == {
        "state": "ok", "title": "fine", "check": "", "failed": "", "hint": "", "others": [], "counts": "",
        "checking": False,
    }  # fmt: skip
    picture = panel(answer, "picture")
    assert isinstance(picture, dict)
    assert EVIL not in picture["svg"] and "&lt;script&gt;" in picture["svg"] and "<style" not in picture["svg"]
    assert panel(answer, "events") == [{"when": "10:00:00", "text": EVIL, "style": ""}]
    panels.update(view("better"), (Event("10:00:00", EVIL),))
    assert answer.readline() == b"\n"
    assert answer.readline() == b"event: verdict\n", "only what has changed is said again"
    assert b'"title": "better"' in answer.readline()


def closed_after(port: int, *pieces: bytes) -> bytes:
    """What a connection brings until the server ends it. pieces: sent a moment apart."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.2)
        seen = b""
        while chunk := connection.recv(65536):
            seen += chunk
    return seen


def test_silent_clients_are_ended_and_streams_go_on(monkeypatch: pytest.MonkeyPatch, port: int, panels: Panels):
    monkeypatch.setattr("labctl.http_server.REQUEST_SECONDS", 1.0)
    stream = get(port, "/changes")
    panel(stream, "events")
    assert closed_after(port) == b""
    assert closed_after(port, b"GET / HT") == b""
    assert closed_after(port, *[b"GET / HTTP/1.1\r\nHost: localhost\r\n", *[b"x: y\r\n"] * 4]) == b""
    whole = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert closed_after(port, whole, whole, b"GET").count(b"HTTP/1.1 404") == 2, "and after requests, too"
    panels.update(view("better"), ())
    assert stream.readline() == b"\n"
    assert stream.readline() == b"event: verdict\n", "who listens is not silent"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 10_000_000 + b"\r\n\r\n",
        b"a" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ],
)
def test_what_is_too_large_or_no_http_is_refused(port: int, request_: bytes):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(request_)
            answer = connection.recv(65536)
        except ConnectionError:  # it was hung up on before all was sent
            answer = b"HTTP/1.1 400 "
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))
    assert get(port, "/").status == 200


def test_the_pages_script_never_writes_html():
    script = resources.files("labctl.watch").joinpath("page", "page.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def test_the_page_has_landmarks_headings_and_labels():
    class Page(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[str, dict[str, str | None]]] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.append((tag, dict(attrs)))

    page = Page()
    page.feed(resources.files("labctl.watch").joinpath("page", "page.html").read_text(encoding="utf-8"))
    tags = [tag for tag, _ in page.seen]
    assert (tags.count("main"), tags.count("h1"), dict(page.seen)["html"]) == (1, 1, {"lang": "en"})
    ids = {attributes["id"] for _, attributes in page.seen if "id" in attributes}
    for _, attributes in page.seen:
        assert set((attributes.get("aria-labelledby") or "").split()) <= ids
    assert {attributes.get("role") for _, attributes in page.seen} >= {"status", "alert", "log"}
    assert not [attributes for _, attributes in page.seen if "style" in attributes or "onclick" in attributes]


def test_ctrl_c_ends_it_at_once_though_no_machine_answers_and_a_browser_reads(lab_nowhere):
    process = subprocess.Popen(command(lab_nowhere, "--port", "0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    port = int(process.stdout.readline().decode().rpartition(":")[2].strip("/\n"))
    tables = panel(get(port, "/changes"), "tables")
    assert isinstance(tables, list) and len(tables) == 4
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors.decode()


def test_ctrl_c_ends_the_terminals_form_and_leaves_the_terminal_as_it_was(lab_nowhere):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        command(lab_nowhere, "--tui"), stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    try:
        seen = b""
        while b"unknown" not in seen:
            seen += os.read(ours, 10000)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        seen += os.read(ours, 100000)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"\x1b[?1049h" in seen and b"\x1b[?1049l" in seen and b"\x1b[?25h" in seen
    assert b"Traceback" not in seen, seen.decode(errors="replace")


def test_the_terminals_form_needs_a_terminal(lab_nowhere):
    done = subprocess.run(command(lab_nowhere, "--tui"), capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--tui needs a terminal" in done.stderr


def command(files: LabDirectory, *words: str) -> list[str]:
    return labctl_command(files.base / "root", "-C", str(files.base), "watch", *words)
