"""``labctl plan`` on a lab whose secrets were lost: it says what `up` will do, and takes away no trace of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from support.fake_host import FakeHost, fake_host

from labctl.cli.app import Application
from labctl.config.overrides import Overrides, write_choices
from labctl.engine.applied import remember
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.providers.marks import HostMarks
from labctl.ssh.connections import SshAccess
from labctl.steps.write import prepare

CONFIG = "name: nowhere\nworkers: 1\nprovider: lxc\nsource: debian\n"
MACHINES = ("ingress", "controlplane", "worker1")


@pytest.fixture
def files(tmp_path: Path, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> LabDirectory:
    """A lab's files as `up` left them; its containers exist, and nothing listens on them."""
    found = LabDirectory(tmp_path / "lab")
    found.base.mkdir()
    found.config.write_text(CONFIG)
    prepare(make_lab(CONFIG), found, box_file=Path("/nowhere/box"), host=FakeHost())
    remember(found)
    write_choices(found.choices, Overrides(provider="lxc", source="debian"))
    marks = HostMarks(fake_host(tmp_path, missing=["lxc-ls"], answers={"dpkg": "amd64\n"}))
    for machine in MACHINES:
        (marks.containers / f"labctl-nowhere-{machine}").mkdir(parents=True)

    def access(_lab: Lab, machine: Machine, lab_files: LabDirectory) -> SshAccess:
        return SshAccess(machine.name, "127.0.0.1", "root", lab_files.ssh_key, lab_files.known_hosts, port=1)

    monkeypatch.setattr("labctl.ssh.access.ssh_access", access)
    monkeypatch.setattr(Application, "host", marks.host)
    return found


def secrets(files: LabDirectory) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in files.secrets.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["pki/ca.key", "ssh/lab_ed25519", "bootstrap-token"])
def test_a_lost_secret_of_all_machines_makes_all_anew(
    files: LabDirectory, run: Callable[..., Result], name: str
) -> None:
    (files.secrets / name).write_bytes(b"")
    secret = "pki/ca" if name == "pki/ca.key" else name
    before = secrets(files)
    done = run("-C", str(files.base), "plan")
    assert done.exit_code == 0, done.output
    said = done.stdout.rpartition("\n\n")[2].splitlines()
    assert said == [f"recreate {one}: its {secret} is missing or damaged" for one in MACHINES]
    rows = json.loads(run("-C", str(files.base), "plan", "--output", "json").stdout)
    assert {row["why"] for row in rows if "step" in row} == {"the machine is recreated"}
    assert secrets(files) == before, "up must still see what is lost"


def test_a_lost_host_key_makes_one_machine_anew(files: LabDirectory, run: Callable[..., Result]) -> None:
    (files.secrets / "ssh/worker1/host_ed25519").unlink()
    done = run("-C", str(files.base), "plan")
    assert done.stdout.rpartition("\n\n")[2].splitlines() == [
        "recreate worker1: its ssh/worker1/host_ed25519 is missing or damaged",
        "boot     ingress: it does not answer",
        "boot     controlplane: it does not answer",
    ]
    rows = json.loads(run("-C", str(files.base), "plan", "--output", "json").stdout)
    assert rows[-1] == {"machine": "worker1", "state": "anew", "why": "ssh/worker1/host_ed25519 is lost"}
    of_worker = [row for row in rows[:-1] if row["machine"] == "worker1"]
    assert {(row["state"], row["why"]) for row in of_worker} == {("run", "the machine is recreated")}


def test_without_any_files_the_machines_that_are_left_are_named(
    files: LabDirectory, run: Callable[..., Result]
) -> None:
    files.folder.rename(files.base.parent / "taken away")
    done = run("-C", str(files.base), "plan")
    assert [line.split(":")[0] for line in done.stdout.rpartition("\n\n")[2].splitlines()] == [
        f"recreate {one}" for one in MACHINES
    ]
    assert not files.folder.exists()


def test_a_lab_of_that_name_from_another_directory_is_nobodys_business(
    files: LabDirectory, run: Callable[..., Result], tmp_path: Path
) -> None:
    notes = HostMarks(Application.host).notes  # type: ignore[arg-type] # the test's own
    notes.mkdir(parents=True)
    (notes / "nowhere").write_text(f"{files.base}\n")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "labctl.yaml").write_text(CONFIG)
    assert "recreate" not in run("-C", str(fresh), "plan").stdout
    assert run("-C", str(fresh), "render").exit_code == 0


def test_render_makes_no_secrets_anew_under_machines_that_exist(
    files: LabDirectory, run: Callable[..., Result], tmp_path: Path
) -> None:
    (files.secrets / "pki/ca.crt").unlink()
    before = secrets(files)
    done = run("-C", str(files.base), "render")
    assert (done.exit_code, done.stderr.splitlines()) == (
        1,
        [
            "error: nobody can log in to ingress, controlplane, worker1 any more",
            f"  where: {files.secrets}",
            "  why:   pki/ca is lost or damaged, and the machines were created with it",
            "  next:  labctl up recreates them",
        ],
    )
    assert secrets(files) == before
    assert run("-C", str(files.base), "render", "--out", str(tmp_path / "elsewhere")).exit_code == 0
