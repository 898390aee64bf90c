"""``labctl snapshot``: names, and what it says where there is nothing to restore."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from labctl.lab_directory import LabDirectory

Run = Callable[..., Result]


@pytest.mark.parametrize("name", ["", " ", "two\nlines", " before", "x" * 101, "\x1b[31m"])
def test_a_name_that_no_table_can_show_is_refused(run: Run, lab_folder: LabDirectory, name: str) -> None:
    for word in ("save", "restore", "delete"):
        assert run("snapshot", word, name).exit_code == 2


@pytest.mark.parametrize("name", ["last", "before the exam", "v1.2/3", "Übung 3", "push_1_2"])
def test_a_name_that_vagrant_takes_is_taken(run: Run, lab_folder: LabDirectory, name: str) -> None:
    done = run("snapshot", "restore", name)
    assert done.exit_code == 3
    assert f"there is no snapshot {name} of the lab lab" in done.stderr
    assert "next:  labctl snapshot save" in done.stderr


def test_without_snapshots_the_list_is_empty(run: Run, lab_folder: LabDirectory) -> None:
    assert json.loads(run("snapshot", "list", "--output", "json").stdout) == {"snapshots": []}
    done = run("snapshot", "list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "labctl snapshot save" in done.stderr


def test_without_a_lab_nothing_is_saved(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("empty")
    (folder / "labctl.yaml").write_text("provider: lxc\n")
    done = run("-C", str(folder), "snapshot", "save")
    assert done.exit_code == 3
    assert "there is no lab in" in done.stderr
