"""The follower as it runs on a machine: through a real SSH server, with a real BIRD; and what is noted of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.fake_host import FakeHost
from support.ssh_server import Behaviour, SshServer, ssh_server

from labctl.errors import RemoteError
from labctl.model.lab import Lab
from labctl.ssh.connections import Connection, Connections
from labctl.watch import follow as following
from labctl.watch.follow import LatestFacts, Query, follow
from labctl.watch.follower import Bird

pytestmark = pytest.mark.real_program("bird", "birdc", "sh")

PATIENCE = 20.0


def until(look: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end, "not seen"
        time.sleep(0.02)


@pytest.fixture
def bird(tmp_path: Path) -> Iterator[Path]:
    """A BIRD that talks to nobody; its control socket."""
    program = shutil.which("bird")
    if program is None:
        pytest.skip("there is no bird: make .venv/tools")
    config, control = tmp_path / "bird.conf", tmp_path / "bird.ctl"
    config.write_text("router id 10.0.0.1;\nprotocol device {}\nprotocol static lonely { ipv4; disabled; }\n")
    process = subprocess.Popen([program, "-f", "-c", config, "-s", control], stderr=subprocess.PIPE)
    try:
        until(control.is_socket)
        yield control
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    with ssh_server(folder, machine="ingress") as running:
        yield running


@pytest.mark.parametrize("words", ["show protocols all", "show status", "show route"])
def test_bird_says_on_its_socket_what_it_says_to_birdc(bird: Path, words: str) -> None:
    birdc = subprocess.run(["birdc", "-s", bird, *words.split()], capture_output=True, text=True, check=False)
    assert without_times(Bird(str(bird), words).ask()) == without_times(birdc.stdout)


def without_times(text: str) -> list[str]:
    """BIRD reckons its times anew for each answer; they may differ by a millisecond."""
    lines = text.splitlines()
    return [re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "", line) for line in lines if not line.startswith("Current server time")]


def test_what_changes_is_noted_and_what_ends_is_lost(
    article_lab: Lab, server: SshServer, bird: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = tmp_path / "routes"
    routes.write_text("[1]")
    queries = (
        Query("protocols", "bird", str(bird), "show protocols"),
        Query("routes", "kernel", str(routes), f"cat {routes}"),
        Query("haproxy-status", "haproxy", str(tmp_path / "nothing"), "show stat"),
    )
    monkeypatch.setattr(following, "queries_for", lambda _lab, _machine: queries)
    latest, end = LatestFacts(article_lab), threading.Event()

    def said(probe: str) -> str:
        result = latest.facts().on("ingress").results.get(probe)
        return f"{result.stdout}{result.stderr}" if result else ""

    with Connections({"ingress": server.access}, FakeHost()) as connections:
        arguments = (article_lab, article_lab.ingress, connections, latest, end)
        thread = threading.Thread(target=follow, args=arguments, daemon=True)
        thread.start()
        until(lambda: said("routes") == "[1]")
        until(lambda: "lonely     Static     master4    down" in said("protocols"))
        until(lambda: "nothing: [Errno 2]" in said("haproxy-status"))
        # Nothing has changed, so nothing is said: for a second, unless BIRD's times came out a millisecond later.
        until(lambda: latest.wait(version := latest.wait(0, 0), 1.0) == version)
        routes.write_text("[1, 2]")
        subprocess.run(["birdc", "-s", bird, "enable", "lonely"], check=True, capture_output=True)
        until(lambda: said("routes") == "[1, 2]")
        until(lambda: "lonely     Static     master4    up" in said("protocols"))
        server.cut()
        until(lambda: not latest.facts().on("ingress").reachable)
        until(lambda: said("routes") == "[1, 2]")  # it is called again
        assert len(server.commands) == 2
        end.set()
        thread.join(timeout=PATIENCE)
        assert not thread.is_alive()


def test_a_machine_that_falls_silent_is_an_error(tmp_path: Path) -> None:
    with ssh_server(tmp_path, Behaviour()) as server:
        connection = Connection.open(server.access, deadline=5.0)
        lines = connection.lines("echo one; printf 'tw'; sleep 0.1; echo o; sleep 60", silence=0.7)
        assert [next(lines), next(lines)] == ["one", "two"]
        with pytest.raises(RemoteError, match=r"silent for 0\.7 s"):
            next(lines)
        connection.close()


def test_lines_end_with_the_command(tmp_path: Path) -> None:
    with ssh_server(tmp_path) as server:
        connection = Connection.open(server.access, deadline=5.0)
        assert list(connection.lines("cat; echo end", silence=5.0, stdin="ä\nb\n".encode())) == ["ä", "b", "end"]
        connection.close()
