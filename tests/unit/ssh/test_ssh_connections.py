"""labctl/ssh/connections.py against a real SSH server in this process."""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import paramiko
import pytest
from support.fake_host import FakeHost
from support.ssh_server import Behaviour, SshServer, ssh_server

from labctl.errors import RemoteError
from labctl.secrets.keys import new_ssh_key, ssh_public_key
from labctl.ssh.connections import Connection, Connections

pytestmark = pytest.mark.real_program("sh")

NewServer = Callable[..., SshServer]


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[NewServer]:
    """Starts servers; all end with the test."""
    with ExitStack() as stack:
        yield lambda **behaviour: stack.enter_context(ssh_server(tmp_path, Behaviour(**behaviour)))


@pytest.fixture
def connection(new_server: NewServer) -> Iterator[Connection]:
    opened = Connection.open(new_server().access, deadline=60)
    yield opened
    opened.close()


def test_status_and_both_outputs_are_kept_apart(connection: Connection) -> None:
    result = connection.run("echo out; echo err >&2; exit 3", deadline=60)
    assert (result.status, result.stdout, result.stderr, result.ok) == (3, "out\n", "err\n", False)
    assert result.command == "echo out; echo err >&2; exit 3"
    assert result.seconds > 0


@pytest.mark.parametrize("status", [0, 1, 124, 255])
def test_every_exit_status_arrives(connection: Connection, status: int) -> None:
    assert connection.run(f"exit {status}", deadline=60).status == status


def test_stdin_arrives_whole_and_ends(connection: Connection) -> None:
    data = bytes(range(256)) * 20_000  # 5 MB: more than any window or pipe holds
    result = connection.run("sha256sum | cut -c1-16; echo end", deadline=20, stdin=data)
    assert result.stdout.split() == [hashlib.sha256(data).hexdigest()[:16], "end"]


def test_a_command_that_ignores_its_input_still_ends(connection: Connection) -> None:
    assert connection.run("exit 4", deadline=60, stdin=b"x" * 5_000_000).status == 4


def test_big_output_arrives_whole(connection: Connection) -> None:
    result = connection.run("seq 300000; seq 300000 >&2", deadline=30)
    expected = "".join(f"{n}\n" for n in range(1, 300_001))
    assert result.stdout == expected
    assert result.stderr == expected


def test_lines_arrive_one_by_one_while_the_command_runs(connection: Connection) -> None:
    heard: list[tuple[float, str]] = []
    started = time.monotonic()
    connection.run(
        "printf 'first\\r\\n'; printf sec; sleep 0.4; printf 'ond\\n'; printf 'no newline'",
        deadline=60,
        on_line=lambda line: heard.append((time.monotonic() - started, line)),
    )
    assert [line for _, line in heard] == ["first", "second", "no newline"]
    assert heard[0][0] < 0.35 < heard[1][0]


def test_characters_that_are_cut_between_two_packets_stay_whole(connection: Connection) -> None:
    heard: list[str] = []
    command = r"printf '\303'; sleep 0.1; printf '\244\n'; printf '\377\n'; printf 'cut \303'"
    result = connection.run(command, deadline=60, on_line=heard.append)
    assert heard == ["ä", "\ufffd", "cut \ufffd"]
    assert result.stdout == "ä\n\ufffd\ncut \ufffd"


@pytest.mark.parametrize("gap", [0.05, 0.3])
def test_output_that_comes_after_the_exit_status_is_not_lost(new_server: NewServer, gap: float) -> None:
    connection = Connection.open(new_server(status_first=True, gap=gap).access, deadline=60)
    heard: list[str] = []
    result = connection.run("echo out; echo err >&2; exit 5", deadline=60, on_line=heard.append)
    assert (result.status, result.stdout, result.stderr) == (5, "out\n", "err\n")
    assert sorted(heard) == ["err", "out"]


def test_a_program_left_running_with_the_output_does_not_hold_the_command_up(new_server: NewServer) -> None:
    connection = Connection.open(new_server(keep_open=True).access, deadline=60)
    result = connection.run("sleep 30 & echo started", deadline=25)
    assert result.stdout == "started\n"
    assert result.seconds < 15


def test_a_command_may_close_its_outputs_before_it_ends(connection: Connection) -> None:
    assert connection.run("exec >&- 2>&-; sleep 0.3; exit 6", deadline=60).status == 6


def test_the_deadline_ends_a_command_and_says_its_last_line(connection: Connection) -> None:
    started = time.monotonic()
    with pytest.raises(RemoteError) as caught:
        connection.run("echo one; echo two; sleep 30", deadline=4)
    assert time.monotonic() - started < 25
    assert caught.value.what == "no end after 4 s: echo one; echo two; sleep 30"
    assert caught.value.why == "the last line was: two"
    assert caught.value.where == "worker1"
    assert connection.run("echo alive", deadline=60).stdout == "alive\n"  # the connection outlives the command


def test_the_deadline_says_so_when_nothing_was_printed(connection: Connection) -> None:
    with pytest.raises(RemoteError) as caught:
        connection.run("sleep 30", deadline=0.2)
    assert caught.value.why == "it printed nothing"


def test_a_command_that_never_stops_printing_meets_its_deadline(connection: Connection) -> None:
    with pytest.raises(RemoteError, match="no end after"):
        connection.run("yes", deadline=0.5)


def test_a_machine_that_hangs_when_asked_meets_the_deadline(new_server: NewServer) -> None:
    connection = Connection.open(new_server(deaf=True).access, deadline=60)
    started = time.monotonic()
    with pytest.raises(RemoteError) as caught:
        connection.run("true", deadline=0.5)
    assert time.monotonic() - started < 15
    assert (caught.value.what, caught.value.why) == ("no end after 0 s: true", "the machine does not answer")


def test_a_command_that_a_signal_ended_is_told_from_a_broken_connection(connection: Connection) -> None:
    with pytest.raises(RemoteError) as caught:
        connection.run("kill -KILL $$", deadline=60)
    assert caught.value.what == "a signal ended it: kill -KILL $$"
    assert "out of memory" in caught.value.why
    assert connection.run("echo alive", deadline=60).stdout == "alive\n"


def test_a_long_command_is_shown_shortened(connection: Connection) -> None:
    with pytest.raises(RemoteError) as caught:
        connection.run("sleep 30 # " + "x" * 1000, deadline=0.2)
    assert len(caught.value.what) < 260
    assert caught.value.what.endswith(" …")


def test_a_cut_connection_is_said_and_the_next_use_opens_a_new_one(new_server: NewServer) -> None:
    server = new_server()
    with Connections({"worker1": server.access}, FakeHost()) as connections:
        first = connections.to("worker1")
        assert connections.to("worker1") is first
        threading.Timer(0.3, server.cut).start()
        started = time.monotonic()
        with pytest.raises(RemoteError) as caught:
            first.run("sleep 30", deadline=20)
        assert time.monotonic() - started < 15
        assert caught.value.what == "the SSH connection broke: sleep 30"
        assert caught.value.where == "worker1"
        assert not first.alive
        assert connections.to("worker1").run("echo again", deadline=60).stdout == "again\n"
    with pytest.raises(KeyError):
        connections.to("worker9")


def test_the_kernel_asks_whether_a_silent_machine_is_still_there(connection: Connection) -> None:
    """75 seconds at most; test_remote_silence.py tries it with fewer."""
    transport = connection.client.get_transport()
    assert transport is not None
    assert transport.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
    assert [transport.sock.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [15, 15, 4, 75_000]


def test_commands_run_side_by_side_on_one_connection(new_server: NewServer) -> None:
    server = new_server()
    with Connections({"worker1": server.access}, FakeHost()) as connections:
        results: dict[int, str] = {}

        def ask(number: int) -> None:
            results[number] = connections.to("worker1").run(f"sleep 5; echo {number}", deadline=30).stdout

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {number: f"{number}\n" for number in range(6)}
        assert time.monotonic() - started < 24  # one after the other they need 30 s
    assert len(server.transports) == 1


def refused(server: SshServer, *, deadline: float = 60, **changes: object) -> RemoteError:
    """The error of a connection that fails, for its own reason and not because a busy machine is slow to answer."""
    with pytest.raises(RemoteError) as caught:
        Connection.open(dataclasses.replace(server.access, **changes), deadline=deadline)  # type: ignore[arg-type]
    assert caught.value.what == "no SSH connection to worker1 (127.0.0.1)"
    assert server.commands == []
    return caught.value


def test_an_unknown_host_key_is_refused(new_server: NewServer, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    assert "not found in known_hosts" in refused(new_server(), known_hosts=empty).why


def test_another_host_key_than_the_pinned_one_is_refused(new_server: NewServer, tmp_path: Path) -> None:
    server = new_server()
    other = tmp_path / "other"
    other.write_text(f"[127.0.0.1]:{server.access.port} {ssh_public_key(new_ssh_key(), 'worker1')}\n")
    assert "does not match" in refused(server, known_hosts=other).why


def test_a_key_that_the_machine_does_not_know_is_refused(new_server: NewServer, tmp_path: Path) -> None:
    other = tmp_path / "stranger"
    other.write_bytes(new_ssh_key())
    assert "Authentication failed" in refused(new_server(), key_file=other).why


def test_the_user_s_own_keys_are_not_tried(
    new_server: NewServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server()
    own = tmp_path / "home/.ssh/id_ed25519"
    own.parent.mkdir(parents=True)
    own.write_bytes(server.access.key_file.read_bytes())  # it would open the machine
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    other = tmp_path / "stranger"
    other.write_bytes(new_ssh_key())
    assert "Authentication failed" in refused(server, key_file=other).why


def test_missing_files_are_errors_in_words(new_server: NewServer, tmp_path: Path) -> None:
    server = new_server()
    assert "No such file" in refused(server, known_hosts=tmp_path / "none").why
    assert "No such file" in refused(server, key_file=tmp_path / "none").why


@pytest.mark.parametrize(
    "content", [b"", b"\x00", bytes(range(256)) * 3, b"{}\n", b"[" * 5000, b"192.0.2.1 ssh-ed25519 AAAA"]
)
@pytest.mark.parametrize("name", ["key_file", "known_hosts"])
def test_damaged_files_are_errors_in_words(new_server: NewServer, tmp_path: Path, name: str, content: bytes) -> None:
    server, damaged = new_server(), tmp_path / "damaged"
    whole = getattr(server.access, name).read_bytes()
    for text in (content, whole[: len(whole) // 2] + content):
        damaged.write_bytes(text)
        error = refused(server, **{name: damaged})
        assert error.why and error.next_step == "labctl up"


def test_a_machine_that_hangs_up_while_it_boots_is_said_to(
    new_server: NewServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """paramiko's own words, seen while VirtualBox booted another machine."""

    def connect(*_: object, **__: object) -> None:
        raise paramiko.SSHException("No existing session")

    monkeypatch.setattr(paramiko.SSHClient, "connect", connect)
    assert "it may still be booting" in refused(new_server()).why


def test_nothing_listening_and_silence_are_errors_within_the_deadline(new_server: NewServer) -> None:
    server = new_server()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        refused(server, deadline=2, port=port)
        assert time.monotonic() - started < 15
    assert refused(server, port=port).why


@pytest.mark.parametrize(
    "command", ["echo $0 'a b' \"c\"; exit 3", "cat; f() { false; }; f || exit 3", "exec >&2; exit 3"]
)
def test_another_user_than_root_asks_sudo(new_server: NewServer, tmp_path: Path, command: str) -> None:
    """The command that root would run arrives in bash as it is, whatever is in it; sudo itself is not asked here."""
    server = new_server()
    sudo = tmp_path / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text('#!/bin/sh\necho "$1 $2 $3" >&2\nshift 3\nexec "$@"\n')
    sudo.chmod(0o755)
    server.behaviour.rewrite = lambda line: f"PATH={sudo.parent}:$PATH; {line}"
    as_root = Connection.open(server.access, deadline=60)
    plain = as_root.run(f"exec bash -c {shlex.quote(command)}", deadline=60, stdin=b"input")
    server.access = dataclasses.replace(server.access, user="vagrant")
    with Connections({"worker1": server.access}, FakeHost()) as connections:
        found = connections.to("worker1").run(command, deadline=60, stdin=b"input")
    assert (found.status, found.stdout) == (plain.status, plain.stdout) == (3, plain.stdout)
    assert found.stderr == "--non-interactive --set-home --\n" + plain.stderr
    assert found.command == command
    as_root.close()
