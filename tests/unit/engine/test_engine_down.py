"""Which labs `destroy` takes away: labctl.yaml's, those that `up` made or the host shows; never another directory's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.fake_host import FakeHost, fake_host

from labctl.config.overrides import Overrides, write_choices
from labctl.engine.applied import applied_lab, remember
from labctl.engine.down import destroy, halt, labs_to_destroy, labs_without_files
from labctl.engine.lock import lab_lock
from labctl.errors import HostError, LabctlError, LockedError
from labctl.host.processes import Process
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.marks import HostMarks


@pytest.fixture
def files(tmp_path: Path) -> LabDirectory:
    (tmp_path / "lab").mkdir()
    return LabDirectory(tmp_path / "lab")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path)


def marked(host: FakeHost) -> HostMarks:
    marks = HostMarks(host)
    marks.notes.mkdir(parents=True)
    return marks


def make(files: LabDirectory, text: str) -> None:
    files.config.write_text(text)
    remember(files)
    write_choices(files.choices, Overrides(provider="lxc", source="debian", workers=3))


def test_a_renamed_lab_is_still_known_as_it_was_made(
    files: LabDirectory, tmp_path: Path, make_lab: Callable[..., Lab], host: FakeHost
) -> None:
    assert applied_lab(files) is None
    make(files, "name: before\nworkers: 1\n")
    files.config.write_text("name: after\n")
    applied = applied_lab(files)
    assert applied is not None
    assert (applied.name, len(applied.workers)) == ("before", 3)
    marks = marked(host)
    (marks.notes / "older").write_text(f"{files.base}\n")
    (marks.notes / "somebody").write_text("/srv/somebody\n")
    labs = labs_to_destroy(make_lab("name: after\n"), files, marks)
    assert sorted(lab.name for lab in labs) == ["after", "before", "older"]


@pytest.mark.parametrize("damage", [b"", b"\0\0", b"name: [", b"name: other\n", b"x" * 300_000, "half", None])
def test_damaged_state_is_no_state(files: LabDirectory, host: FakeHost, damage: bytes | str | None) -> None:
    """Half of a file, and an empty one, would tell of another lab."""
    make(files, "name: before\nworkers: 1\n")
    kept = files.folder / "applied.yaml"
    if damage is None:
        kept.unlink()
        kept.symlink_to("/etc/passwd")
    else:
        kept.write_bytes(damage if isinstance(damage, bytes) else kept.read_bytes()[:-12])
    assert applied_lab(files) is None
    assert labs_to_destroy(None, files, HostMarks(host)) == []


def test_without_a_labctl_yaml_the_articles_lab_is_remembered(files: LabDirectory) -> None:
    remember(files)
    write_choices(files.choices, Overrides(provider="lxc", source="debian"))
    found = applied_lab(files)
    assert found is not None and found.name == "lab"


def test_a_lab_of_another_directory_is_not_among_them(
    files: LabDirectory, tmp_path: Path, make_lab: Callable[..., Lab], host: FakeHost
) -> None:
    other = tmp_path / "other"
    (other / ".labctl").mkdir(parents=True)
    marks = marked(host)
    (marks.notes / "lab").write_text(f"{other}\n")
    assert labs_to_destroy(make_lab(""), files, marks) == []


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_stands_in_place_of_labctls_folder_is_refused_by_up_and_removed_by_destroy(
    files: LabDirectory, tmp_path: Path, host: FakeHost, kind: str
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").touch()
    files.folder.symlink_to(target) if kind == "link" else files.folder.touch()
    with pytest.raises(HostError, match="not a folder of labctl's own"), lab_lock(files.lock):
        pass
    destroy([], files, host)
    assert not files.folder.exists()
    assert (target / "precious").exists()


def test_links_in_labctls_rooms_are_not_followed(files: LabDirectory, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    files.folder.mkdir()
    (files.folder / "lock").symlink_to(target / "made-by-lock")
    (files.folder / "secrets").symlink_to(target)
    (files.logs / "worker1").mkdir(parents=True)
    (files.logs / "worker1" / "base.log").symlink_to(target / "made-by-log")
    with lab_lock(files.lock):
        assert not files.secrets.exists()
        assert not (files.logs / "worker1" / "base.log").is_symlink()
    assert list(target.iterdir()) == []


def test_a_folder_that_cannot_be_removed_is_named(
    files: LabDirectory, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.folder.mkdir()

    def refuse(_: Path) -> None:
        raise OSError(30, "Read-only file system", str(files.lock))

    monkeypatch.setattr("labctl.engine.down.shutil.rmtree", refuse)
    with pytest.raises(LabctlError) as caught:
        destroy([], files, host)
    assert caught.value.why == f"{files.lock}: Read-only file system"


def test_a_lab_that_a_killed_bench_left_goes_first_and_one_at_work_stops_everything(
    files: LabDirectory, host: FakeHost
) -> None:
    left = LabDirectory(files.bench / "scale")
    left.folder.mkdir(parents=True)
    assert [beside.base for beside in files.beside()] == [left.base.resolve()]
    with lab_lock(left.lock), pytest.raises(LockedError):
        destroy([], files, host)
    assert left.folder.is_dir()
    assert destroy([], files, host) == [str(left.folder.resolve()), str(files.folder)]
    assert not files.folder.exists()


def test_a_lab_whose_files_are_gone_is_known_by_its_machines(
    files: LabDirectory, tmp_path: Path, host: FakeHost
) -> None:
    marks = marked(host)
    (marks.containers / "labctl-mine-worker7").mkdir(parents=True)
    (marks.containers / "labctl-other-worker1").mkdir()
    for name, base in (("mine", files.base), ("without-machines", files.base), ("other", tmp_path / "other")):
        (marks.notes / name).write_text(f"{base}\n")
    assert [lab.name for lab in labs_without_files(files, marks)] == ["mine"]


def test_containers_are_stopped_without_any_files_and_none_is_made(
    files: LabDirectory, make_lab: Callable[..., Lab], host: FakeHost
) -> None:
    host = replace(host, answers={"lxc-ls": "labctl-lab-worker7", "lxc-stop": ""}, missing=["vagrant"])
    halt(make_lab(), files, host)
    assert host.commands[-1] == "lxc-stop --timeout 20 --name labctl-lab-worker7"
    assert not files.folder.exists()
    with pytest.raises(HostError, match="there is no lab in"):
        halt(make_lab("provider: virtualbox\n"), files, host)


def test_what_a_killed_labctl_left_at_work_on_the_lab_is_ended_and_nothing_else(
    files: LabDirectory, make_lab: Callable[..., Lab], host: FakeHost
) -> None:
    ours, folder = {"LABCTL_STARTED_THIS": "1"}, str(files.folder)
    left = [
        Process(1, words=("ruby", "/usr/bin/vagrant", "up"), folder=folder, environment=ours),
        Process(2, words=("lxc-start", "--name", "labctl-lab-worker1"), environment=ours),
        Process(3, words=("bash", f"{folder}/host/prepare.sh", "up"), folder=f"{folder} (deleted)", environment=ours),
    ]
    others = [
        Process(4, words=("ruby", "/usr/bin/vagrant", "up"), folder=folder),  # a person's own
        Process(5, words=("ruby", "/usr/bin/vagrant", "up"), folder="/elsewhere", environment=ours),
        Process(6, words=("lxc-start", "--name", "labctl-lab-2-worker1"), environment=ours),
        Process(7, words=("vim", "vagrant.txt"), folder="/elsewhere", environment=ours),
    ]
    host = replace(host, answers={"lxc-ls": ""}, missing=["vagrant"], running=[*left, *others])
    halt(make_lab(), files, host)
    assert host.ended == left
