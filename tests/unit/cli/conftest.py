"""A lab directory, a runner, and a real SSH server that runs commands in a local shell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.fake_host import fake_host
from support.ssh_server import ssh_server

from labctl.cli.app import Application
from labctl.cli.main import cli
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.secrets.keys import new_ssh_key
from labctl.ssh.access import SshAccess

Run = Callable[..., Result]


@pytest.fixture
def lab_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabDirectory:
    """A folder in which ``up`` left the files that other commands read; the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    files = LabDirectory(tmp_path.resolve())
    files.ssh_key.parent.mkdir(parents=True)
    files.ssh_key.write_bytes(new_ssh_key())
    files.known_hosts.write_text("")
    files.admin_kubeconfig.write_bytes(b"apiVersion: v1\n\xc3\xa4\n")
    return files


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs one command line of labctl, on a host without programs and without labs."""
    for name in ("LABCTL_DIRECTORY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def runner(*words: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
        host = fake_host(tmp_path_factory.mktemp("host"))
        return CliRunner().invoke(cli, list(words), input=stdin, env=env, obj=Application(_host=host))

    return runner


@pytest.fixture
def shell_server(lab_folder: LabDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshAccess]:
    """A real SSH server; every machine of the lab is reached there."""
    folder = tmp_path / "server"
    folder.mkdir()
    with ssh_server(folder) as server:
        lab_folder.known_hosts.write_bytes(server.access.known_hosts.read_bytes())
        lab_folder.ssh_key.write_bytes(server.access.key_file.read_bytes())

        def access(lab: Lab, machine: Machine, files: LabDirectory) -> SshAccess:
            return SshAccess(machine.name, "127.0.0.1", "root", files.ssh_key, files.known_hosts, server.access.port)

        monkeypatch.setattr("labctl.ssh.access.ssh_access", access)
        yield SshAccess("worker1", "127.0.0.1", "root", lab_folder.ssh_key, lab_folder.known_hosts, server.access.port)


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
