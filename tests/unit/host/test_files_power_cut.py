"""A power cut: nothing gets its final name before it is on the disk, and that name is put on the disk, too."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from labctl.host.files import move_into_place, write_atomically


class Disk:
    """Notes what is put on the disk, in order, and whether the final name was there already; and puts it there."""

    def __init__(self, final: Path) -> None:
        self.final = final
        self.noted: list[tuple[str, bool]] = []
        self.fsync, self.sync = os.fsync, os.sync

    def note_fsync(self, descriptor: int) -> None:
        named = Path(f"/proc/self/fd/{descriptor}").readlink()
        self.noted.append(("folder" if named == self.final.parent else named.name[:12], self.final.exists()))
        self.fsync(descriptor)

    def note_sync(self) -> None:
        self.noted.append(("everything", self.final.exists()))
        self.sync()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here")
    return Disk(tmp_path.resolve() / "state.json")


def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_the_end(disk: Disk) -> None:
    with patch("os.fsync", disk.note_fsync):
        write_atomically(disk.final, b"whole")
    assert disk.noted == [(".state.json.", False), ("folder", True)]


def test_a_folder_gets_its_final_name_once_all_of_it_is_on_the_disk(disk: Disk, tmp_path: Path) -> None:
    made = tmp_path / "box.partial"
    made.mkdir()
    with patch("os.fsync", disk.note_fsync), patch("os.sync", disk.note_sync):
        move_into_place(made, disk.final)
    assert disk.noted == [("everything", False), ("folder", True)]
    assert not made.exists()


def test_a_folder_that_can_not_be_synced_is_no_error(disk: Disk) -> None:
    def refuse(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise OSError(22, "Invalid argument")

    with patch("os.fsync", refuse):
        assert write_atomically(disk.final, b"whole")
    assert disk.final.read_bytes() == b"whole"
