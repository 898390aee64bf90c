"""Snapshots of a lab on LXC: what is saved and put back, in which order, and what is left when it is cut off."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.fake_host import Answer, FakeHost, fake_host

from labctl.config import load_config
from labctl.config.overrides import Overrides, write_choices
from labctl.engine import snapshots
from labctl.engine.applied import applied_lab, remember
from labctl.engine.context import Context
from labctl.engine.snapshots import OF_UP
from labctl.errors import HostError, LabctlError
from labctl.host.command import CommandResult
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.provider import MachineProvider
from labctl.providers.registry import provider_of
from labctl.providers.snapshots import Snapshot

NAMES = ("controlplane", "ingress", "worker1")
FULL = CommandResult("bash", 1, "", "cp: error writing: No space left on device", 0.0)


class SavedLab:
    """A lab of three containers that run on a fake host; what copy-machine.sh does is done by Python."""

    def __init__(self, folder: Path) -> None:
        self.frozen: set[str] = set()
        self.running = {f"labctl-lab-{name}" for name in NAMES}
        self.fails: Answer | None = None
        self.attached: list[str] = []
        self.host: FakeHost = fake_host(
            folder,
            answers={
                "lxc-ls": self._list,
                "lxc-info": lambda words, _: "RUNNING\n" if "--state" in words else "123\n",
                "lxc-attach": self._attach,
                "lxc-freeze": lambda words, _: self.frozen.add(words[-1]) or "",
                "lxc-unfreeze": lambda words, _: self.frozen.discard(words[-1]) or "",
                "lxc-destroy": self._destroy,
                "lxc-start": lambda words, _: self.running.add(words[-1]) or "",
                "bash": self._bash,
            },
        )
        self.files = LabDirectory(folder / "lab")
        self.files.base.mkdir()
        self.files.config.write_text("name: lab\nprovider: lxc\nworkers: 1\n")
        self.files.folder.mkdir()
        self.files.log.write_text("what happened")
        (self.files.folder / "faults.json").write_text("none")
        remember(self.files)
        write_choices(self.files.choices, Overrides(provider="lxc", source="debian"))
        for name in NAMES:
            self.disk(name).mkdir(parents=True)
            (self.disk(name) / "config").write_text("lxc.rootfs.path = overlay:/box/rootfs:/delta\n")
            (self.disk(name) / "what").write_text("as it was")
        self.host.path("/box/rootfs").mkdir(parents=True)

    @property
    def provider(self) -> MachineProvider:
        return provider_of(self.lab, self.files, self.host)

    @property
    def lab(self) -> Lab:
        lab = applied_lab(self.files)
        assert lab is not None
        return lab

    def disk(self, machine: str) -> Path:
        return self.host.path(f"/var/lib/lxc/labctl-lab-{machine}")

    def save(self, name: str = "last") -> Snapshot:
        context = Context(self.provider, None, lambda _: None)  # type: ignore[arg-type]
        return snapshots.save(context, name)[0]

    def names(self) -> list[str]:
        return [one.name for one in snapshots.saved(self.provider)]

    def left(self) -> list[str]:
        folder = self.host.path("/var/lib/lxc/labctl-lab.snapshots")
        return [path.name for path in folder.iterdir()] if folder.exists() else []

    def _list(self, words: Sequence[str], _: str) -> str:
        folders = {path.name for path in self.host.path("/var/lib/lxc").glob("labctl-lab-*")}
        chosen = {"--frozen": self.frozen, "--running": self.running}.get(words[-1], folders)
        return "\n".join(sorted(chosen))

    def _attach(self, words: Sequence[str], script: str) -> str:
        assert not self.frozen, "nothing runs in a frozen container"
        self.attached.append(words[3] + (" stop" if "systemctl stop" in script else ""))
        return ""

    def _destroy(self, words: Sequence[str], _: str) -> str:
        shutil.rmtree(self.host.path(f"/var/lib/lxc/{words[-1]}"))
        self.running.discard(words[-1])
        return ""

    def _bash(self, words: Sequence[str], _: str) -> Answer:
        if "up" in words:
            return ""
        if self.fails is not None and "worker1" in words[3]:
            return self.fails
        shutil.copytree(words[3], words[4])
        return ""


@pytest.fixture
def saved_lab(tmp_path: Path) -> SavedLab:
    return SavedLab(tmp_path)


def test_the_lab_is_back_whatever_happened_since(saved_lab: SavedLab) -> None:
    snapshot = saved_lab.save()
    assert snapshot.machines == NAMES
    shutil.rmtree(saved_lab.disk("worker1"))
    (saved_lab.disk("controlplane") / "what").write_text("broken")
    shutil.copytree(saved_lab.disk("ingress"), saved_lab.disk("worker2"))
    (saved_lab.files.folder / "faults.json").write_text("one")
    (saved_lab.files.folder / "more").write_text("made since")
    saved_lab.files.log.write_text("what happened since")
    assert snapshots.restore(saved_lab.provider, snapshots.find(saved_lab.provider, "last")) == []
    assert saved_lab.provider.machines() == set(NAMES)
    assert {(saved_lab.disk(name) / "what").read_text() for name in NAMES} == {"as it was"}
    assert (saved_lab.files.folder / "faults.json").read_text() == "none"
    assert not (saved_lab.files.folder / "more").exists()
    assert saved_lab.files.log.read_text() == "what happened since"
    assert saved_lab.running == {f"labctl-lab-{name}" for name in NAMES}
    assert saved_lab.names() == ["last"]
    assert "restoring" not in saved_lab.left()


def test_the_control_plane_stops_last_and_all_run_on(saved_lab: SavedLab) -> None:
    saved_lab.save()
    stopped = [name.removesuffix(" stop") for name in saved_lab.attached if name.endswith(" stop")]
    assert set(stopped[:2]) == {"labctl-lab-ingress", "labctl-lab-worker1"}
    assert stopped[2:] == ["labctl-lab-controlplane"]
    assert {name for name in saved_lab.attached if not name.endswith(" stop")} == {
        f"labctl-lab-{name}" for name in NAMES
    }
    assert not saved_lab.frozen


def test_a_full_disk_leaves_the_lab_running_and_no_part_of_a_snapshot(saved_lab: SavedLab) -> None:
    saved_lab.fails = FULL
    with pytest.raises(LabctlError) as error:
        saved_lab.save()
    assert "No space left on device" in error.value.why
    assert not saved_lab.frozen
    assert "labctl-lab-controlplane" in saved_lab.attached  # its services were started again
    assert saved_lab.left() == []


def test_what_a_killed_save_left_is_removed_and_the_machines_run_on(saved_lab: SavedLab) -> None:
    whole = saved_lab.save("whole")
    half = saved_lab.save("half")
    record = half.folder / "snapshot.json"
    record.write_text(record.read_text().replace('"whole": true', '"whole": false'))
    saved_lab.frozen = {"labctl-lab-worker1"}
    assert saved_lab.names() == ["whole"]
    assert snapshots.remove_incomplete(saved_lab.provider) == ["half"]
    assert not saved_lab.frozen
    assert saved_lab.left() == [whole.folder.name]
    assert snapshots.remove_incomplete(saved_lab.provider) == []


@pytest.mark.parametrize("record", ["", "{", "[]", '{"whole": true}'])
def test_a_damaged_record_is_no_snapshot(saved_lab: SavedLab, record: str) -> None:
    (saved_lab.save().folder / "snapshot.json").write_text(record)
    assert saved_lab.names() == []
    snapshots.remove_incomplete(saved_lab.provider)
    assert saved_lab.left() == []


def test_an_interrupted_restore_is_finished_by_the_next(saved_lab: SavedLab) -> None:
    saved_lab.save()
    saved_lab.fails = FULL
    with pytest.raises(LabctlError):
        snapshots.restore(saved_lab.provider, snapshots.find(saved_lab.provider, "last"))
    saved_lab.fails = None
    half = snapshots.interrupted_restore(saved_lab.provider)
    assert half is not None
    snapshots.restore(saved_lab.provider, half)
    assert {(saved_lab.disk(name) / "what").read_text() for name in NAMES} == {"as it was"}
    assert snapshots.interrupted_restore(saved_lab.provider) is None


def test_an_older_snapshot_of_the_same_name_is_replaced_only_by_a_whole_one(saved_lab: SavedLab) -> None:
    first = saved_lab.save()
    saved_lab.fails = FULL
    with pytest.raises(LabctlError):
        saved_lab.save()
    assert saved_lab.left() == [first.folder.name]
    saved_lab.fails = None
    second = saved_lab.save()
    assert saved_lab.left() == [second.folder.name]


def test_a_changed_labctl_yaml_is_put_back_and_kept(saved_lab: SavedLab) -> None:
    snapshot, before = saved_lab.save(OF_UP), saved_lab.files.config.read_text()
    saved_lab.files.config.write_text(before + "# a comment describes no other lab\n")
    assert snapshots.restore(saved_lab.provider, snapshot) == []
    assert saved_lab.files.config.read_text() != before
    saved_lab.files.config.write_text(before.replace("workers: 1", "workers: 3"))
    notes = snapshots.restore(saved_lab.provider, snapshot)
    assert load_config(saved_lab.files.base).workers == 1
    kept = [path for path in saved_lab.files.base.iterdir() if path.name.startswith("labctl.yaml.")]
    assert [path.read_text() for path in kept] == [before.replace("workers: 1", "workers: 3")]
    assert kept[0].name in notes[1]


def test_without_its_box_a_snapshot_is_refused_before_anything_stops(saved_lab: SavedLab) -> None:
    snapshot = saved_lab.save()
    saved_lab.host.path("/box/rootfs").rmdir()
    with pytest.raises(HostError, match="cannot be restored"):
        snapshots.restore(saved_lab.provider, snapshot)
    assert saved_lab.provider.machines() == set(NAMES)


def test_one_that_does_not_exist_is_refused_with_those_that_do(saved_lab: SavedLab) -> None:
    with pytest.raises(HostError) as error:
        snapshots.find(saved_lab.provider, "last")
    assert error.value.why == "it has none"
    saved_lab.save("before-exam")
    with pytest.raises(HostError) as error:
        snapshots.find(saved_lab.provider, "last")
    assert error.value.why == "its snapshots are: before-exam"
    snapshots.delete(saved_lab.provider, snapshots.find(saved_lab.provider, "before-exam"))
    assert saved_lab.left() == []


def test_destroy_leaves_no_snapshot(saved_lab: SavedLab) -> None:
    saved_lab.save()
    saved_lab.host.answers["bash"] = ""  # type: ignore[index]
    saved_lab.provider.destroy()
    assert list(saved_lab.host.path("/var/lib/lxc").iterdir()) == []
