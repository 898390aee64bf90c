"""Which labs a host has, by what they marked on it: notes, and containers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_host import fake_host

from labctl.engine.claim import require_own_name
from labctl.errors import ExitCode, HostError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.marks import HostMarks

BOOTED = "# VAGRANT-BEGIN\nlxc.mount.entry={base}/.labctl/secrets/ssh/worker1 etc/labctl/ssh none bind,ro 0 0\n"
CREATED = "# Template used to create this container: {base}/.labctl/vagrant/boxes/b/0/lxc/lxc-template\n"


@pytest.fixture
def marks(tmp_path: Path) -> HostMarks:
    found = HostMarks(fake_host(tmp_path))
    found.notes.mkdir(parents=True)
    found.containers.mkdir(parents=True)
    return found


def container(marks: HostMarks, name: str, text: str | None) -> None:
    (marks.containers / name).mkdir()
    if text is not None:
        (marks.containers / name / "config").write_text(text)


def test_labs_and_their_machines_are_found_by_containers_and_notes(marks: HostMarks) -> None:
    container(marks, "labctl-lab-worker1", BOOTED.format(base="/home/me/my\\040lab"))
    container(marks, "labctl-lab-ingress", None)  # half made
    container(marks, "labctl-lab-worker1-worker2", CREATED.format(base="/srv/other lab"))
    container(marks, "labctl-two-ingress", "")
    container(marks, "somebody-worker1", BOOTED.format(base="/x"))
    (marks.notes / "two").write_text("/srv/two\n")
    (marks.notes / "old").touch()  # by a labctl that noted no directory
    (marks.notes / "..hidden").write_text("/x\n")
    assert marks.labs() == {
        "lab": Path("/home/me/my lab"),
        "lab-worker1": Path("/srv/other lab"),
        "old": None,
        "two": Path("/srv/two"),
    }
    assert marks.machines("lab") == {"worker1", "ingress"}
    assert marks.labs_of(Path("/srv/two")) == ["two"]
    assert (marks.has_booted("lab", "worker1"), marks.has_booted("lab", "ingress")) == (True, False)


def test_a_lab_of_the_same_name_from_another_directory_is_not_ours(
    marks: HostMarks, tmp_path: Path, make_lab: Callable[..., Lab]
) -> None:
    lab, other, mine = make_lab("name: twice\n"), tmp_path / "other", LabDirectory(tmp_path / "mine")
    require_own_name(lab, mine, marks.host)
    (other / ".labctl").mkdir(parents=True)
    (marks.notes / "twice").write_text(f"{other}\n")
    with pytest.raises(HostError) as caught:
        require_own_name(lab, mine, marks.host)
    assert caught.value.exit_code is ExitCode.HOST
    assert str(other) in caught.value.why
    assert f"labctl -C {other} destroy" in caught.value.next_step
    require_own_name(lab, LabDirectory(other), marks.host)
    (other / ".labctl").rmdir()  # moved away, or deleted
    require_own_name(lab, mine, marks.host)


def test_no_marks_no_labs(tmp_path: Path) -> None:
    assert HostMarks(fake_host(tmp_path)).labs() == {}
