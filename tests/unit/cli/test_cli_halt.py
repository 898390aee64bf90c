"""``labctl halt`` and ``destroy`` in a directory that lost its .labctl, or never had one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from support.fake_host import fake_host

from labctl.cli.app import Application
from labctl.providers.marks import HostMarks


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The containers that were stopped. One lab on this host was made from ./mine."""
    found: list[str] = []
    host = fake_host(tmp_path, answers={"lxc-ls": "labctl-one-worker1"}, missing=["vagrant"])
    marks = HostMarks(host)
    (marks.containers / "labctl-one-worker1").mkdir(parents=True)
    marks.notes.mkdir(parents=True)
    (marks.notes / "one").write_text(f"{tmp_path / 'mine'}\n")
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    host.answers["lxc-stop"] = lambda words, _: found.append(words[-1]) or ""  # type: ignore[index]
    monkeypatch.setattr(Application, "host", host)
    monkeypatch.setattr("labctl.cli.lab.down.become_root", lambda *_: None)
    return found


def test_the_machines_are_found_by_their_marks(run: Callable[..., Result], stopped: list[str], tmp_path: Path) -> None:
    done = run("-C", str(tmp_path / "mine"), "halt")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == (
        'lab "one": the machines are stopped; their keys are missing, so `labctl up` recreates them\n'
    )
    assert stopped == ["labctl-one-worker1"]
    assert list((tmp_path / "mine").iterdir()) == []


def test_where_no_machine_is_this_directorys_there_is_no_lab(
    run: Callable[..., Result], stopped: list[str], tmp_path: Path
) -> None:
    done = run("-C", str(tmp_path / "other"), "halt")
    assert (done.exit_code, done.stderr) == (
        3,
        f"error: there is no lab in {tmp_path / 'other'}\n  next:  labctl up\n",
    )
    assert stopped == []


def test_a_link_in_place_of_labctls_folder_is_refused(
    run: Callable[..., Result], stopped: list[str], tmp_path: Path
) -> None:
    """What is written there, root would write elsewhere."""
    key = tmp_path / "elsewhere" / "secrets" / "ssh" / "lab_ed25519"
    key.parent.mkdir(parents=True)
    key.touch()
    (tmp_path / "mine/.labctl").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "mine/labctl.yaml").write_text("name: one\nprovider: lxc\n")
    done = run("-C", str(tmp_path / "mine"), "halt")
    assert done.exit_code == 3
    assert "is not a folder of labctl's own" in done.stderr
    assert stopped == []
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["secrets"]


@pytest.mark.parametrize(
    ("answer", "exit_code", "last_lines"),
    [
        (b"", 2, "\nerror: nobody answered the question\n  next:  repeat the command with --yes\n"),
        (b"n\n", 130, "n\nnothing was changed\n"),
    ],
)
def test_destroy_does_nothing_unless_it_is_told_to(
    run: Callable[..., Result], stopped: list[str], tmp_path: Path, answer: bytes, exit_code: int, last_lines: str
) -> None:
    done = run("-C", str(tmp_path / "mine"), "destroy", stdin=answer)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert done.stderr == 'Remove lab "one" with all its machines? [y/N]: ' + last_lines
    assert stopped == []
