"""A lab directory, a runner, and a real SSH server that runs commands in a local shell."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import labctl
from labctl.cli.main import cli
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Machine
from labctl.remote.ssh import SshAccess

Run = Callable[..., Result]


@pytest.fixture
def lab_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabDirectory:
    """A folder in which ``up`` left the files that other commands read; the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(labctl.__file__).parent.parent))  # for labctl as a process of its own
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    files = LabDirectory(tmp_path.resolve())
    files.ssh_key.parent.mkdir(parents=True)
    files.ssh_key.write_bytes(new_key())
    files.known_hosts.write_text("")
    files.admin_kubeconfig.write_bytes(b"apiVersion: v1\n\xc3\xa4\n")
    return files


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command line of labctl."""
    for name in ("LABCTL_DIRECTORY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def runner(*words: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(cli, list(words), input=stdin, env=env)

    return runner


def new_key() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


class ShellServer(paramiko.ServerInterface):
    """Lets everybody in and runs each command line with sh, in bytes."""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_pty_request(  # type: ignore[no-untyped-def]
        self, channel, term, width, height, pixelwidth, pixelheight, modes
    ) -> bool:
        channel.size = (width, height)
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_serve, args=(channel, command), daemon=True).start()
        return True


def _serve(channel: paramiko.Channel, command: bytes) -> None:
    process = subprocess.Popen(
        ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin and process.stdout and process.stderr

    def feed() -> None:
        while data := channel.recv(65536):
            process.stdin.write(data)  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        process.stdin.close()  # type: ignore[union-attr]

    def copy(source, send) -> None:  # type: ignore[no-untyped-def]
        while data := source.read1(65536):
            send(data)

    def quietly(function, *args) -> threading.Thread:  # type: ignore[no-untyped-def]
        def guarded() -> None:
            try:
                function(*args)
            except OSError:
                process.kill()

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    if hasattr(channel, "size"):
        channel.sendall("terminal {}x{}\r\n".format(*channel.size))
    quietly(feed)
    for thread in [
        quietly(copy, process.stdout, channel.sendall),
        quietly(copy, process.stderr, channel.sendall_stderr),
    ]:
        thread.join()
    with suppress(OSError, EOFError):  # a client that was interrupted waits for no status
        channel.send_exit_status(process.wait())
        channel.close()


@pytest.fixture
def shell_server(lab_folder: LabDirectory, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshAccess]:
    """The server; every machine of the lab is reached there."""
    host_key = paramiko.RSAKey.generate(2048)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    lab_folder.known_hosts.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
    transports = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(host_key)
            transport.start_server(server=ShellServer())
            transports.append(transport)

    threading.Thread(target=accept, daemon=True).start()

    def access(machine: Machine, files: LabDirectory, user: str = "root") -> SshAccess:
        return SshAccess(machine.name, "127.0.0.1", "root", files.ssh_key, files.known_hosts, port)

    monkeypatch.setattr("labctl.cli.access.ssh_access", access)
    yield SshAccess("worker1", "127.0.0.1", "root", lab_folder.ssh_key, lab_folder.known_hosts, port)
    listener.close()
    for transport in transports:
        transport.close()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for kubectl, birdc and calicoctl that print each argument and their input."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("kubectl", "birdc", "calicoctl"):
        tool = folder / name
        tool.write_text(
            f'#!/bin/sh\necho "{name} KUBECONFIG=$KUBECONFIG"\nfor word; do printf "<%s>\\n" "$word"; done\n'
            'echo "input:"; cat; echo "to stderr" >&2; exit 7\n'
        )
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder
