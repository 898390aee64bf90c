"""What copy-machine.sh copies, and what it links."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labctl.providers.lxc import snapshots

pytestmark = pytest.mark.real_program("bash")

STORE = Path("disk/var/lib/containerd")
BLOB = STORE / "io.containerd.content.v1.content/blobs/sha256/abc"
LAYER = STORE / "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/bin/program"
DATABASE = STORE / "io.containerd.metadata.v1.bolt/meta.db"
ETCD = Path("disk/var/lib/etcd/lab/member/snap/db")
CHANGED = Path("delta/etc/hostname")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    for name in (BLOB, LAYER, DATABASE, ETCD, CHANGED, Path("config"), Path("rootfs/x")):
        file = tmp_path / "machine" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(name))
    (tmp_path / "machine" / STORE / "empty").mkdir(mode=0o711)
    return tmp_path / "machine"


def copy(source: Path, target: Path) -> None:
    subprocess.run(["bash", snapshots._COPY, str(source), str(target), ""], check=True)


def test_images_are_linked_and_whatever_can_be_written_to_is_copied(machine: Path, tmp_path: Path) -> None:
    copy(machine, tmp_path / "copy")
    files = {path.relative_to(machine) for path in machine.rglob("*")}
    assert {path.relative_to(tmp_path / "copy") for path in (tmp_path / "copy").rglob("*")} == files
    same = {
        name for name in files if (machine / name).is_file() and (machine / name).samefile(tmp_path / "copy" / name)
    }
    assert same == {BLOB, LAYER}
    assert all((tmp_path / "copy" / name).read_text() == str(name) for name in files if (machine / name).is_file())
    assert (tmp_path / "copy" / STORE / "empty").stat().st_mode & 0o777 == 0o711


def test_a_file_that_is_written_in_place_later_is_not_changed_in_the_copy(machine: Path, tmp_path: Path) -> None:
    copy(machine, tmp_path / "copy")
    for name in (DATABASE, ETCD, CHANGED):
        with (machine / name).open("r+") as file:
            file.write("other")
        assert (tmp_path / "copy" / name).read_text() == str(name)


def test_a_machine_without_containerd_is_copied_too(tmp_path: Path) -> None:
    (tmp_path / "machine/delta").mkdir(parents=True)
    (tmp_path / "machine/config").write_text("x")
    copy(tmp_path / "machine", tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["config", "delta"]
