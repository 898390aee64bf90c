"""The Ansible project of a class: what is written, what stays, and that Ansible takes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from labctl.classroom.inventory import read_inventory
from labctl.classroom.playbook import ROOTS_BOXES, variables, write_project


def test_the_project_and_what_of_it_stays(tmp_path: Path):
    folder = tmp_path / "ansible"
    first = write_project(folder, b"workers: 1\n", None)
    names = ["ansible.cfg", "class.yml", "servers.ini", "labctl.yaml", "group_vars/all.yml"]
    assert first == [folder / name for name in names]
    assert (folder / "labctl.yaml").read_bytes() == b"workers: 1\n"
    assert [server.first_seat for server in read_inventory(folder / "servers.ini")] == [1, 3]
    (folder / "servers.ini").write_text("[servers]\nmine\n")
    (folder / "files").mkdir()
    (folder / "files/labctl-0.1.0-py3-none-any.whl").touch()
    (folder / "files/box.tar").touch()
    assert write_project(folder, b"workers: 2\n", None) == [folder / "labctl.yaml"]
    assert (folder / "servers.ini").read_text() == "[servers]\nmine\n"
    assert [file.name for file in (folder / "files").iterdir()] == ["box.tar"]


def test_a_box_is_copied_only_if_its_path_is_the_same_on_the_servers(tmp_path: Path):
    assert variables(Path(ROOTS_BOXES / "e85b7c4851f1"))["labctl_box"] == "e85b7c4851f1"
    assert variables(tmp_path / "e85b7c4851f1")["labctl_box"] == variables(None)["labctl_box"] == ""


def test_every_variable_of_the_playbook_is_defined(tmp_path: Path):
    """By the inventory, the file of variables, or the play itself; and it contains no secret."""
    write_project(tmp_path, b"{}\n", None)
    known = yaml.safe_load((tmp_path / "group_vars/all.yml").read_text())
    text = (tmp_path / "class.yml").read_text()
    assert all(f"{name}" in text for name in known)
    plays = yaml.safe_load(text)
    assert [play["hosts"] for play in plays] == ["localhost", "servers"]
    up = [line for line in text.splitlines() if line.endswith(" class up") or " class up " in line]
    assert [line.endswith(">/dev/null") for line in up] == [True], "what it prints are the links"
    for task in (task for play in plays for task in play["tasks"]):
        assert any(key.startswith("ansible.builtin.") for key in task), task["name"]


@pytest.mark.real_program("ansible-playbook", "python")
@pytest.mark.host_file("/usr/share/ansible", "/etc/ansible")
@pytest.mark.skipif(not shutil.which("ansible-playbook"), reason="no Ansible: pip install ansible-core")
def test_ansible_takes_it(tmp_path: Path):
    write_project(tmp_path, b"{}\n", None)
    command = ["ansible-playbook", "--syntax-check", "class.yml"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
