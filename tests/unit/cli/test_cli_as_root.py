"""Whose the lab's files are when labctl has worked as root by way of sudo."""

import os
from pathlib import Path

import pytest

from labctl.cli.sudo import give_files
from labctl.errors import HostError
from labctl.lab_directory import LabDirectory

NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_user_gets_what_later_commands_read_and_root_keeps_what_sshd_trusts(tmp_path: Path) -> None:
    files = LabDirectory(tmp_path)
    mine = [files.ssh_key, files.known_hosts, files.choices, files.logs / "worker1" / "base.log"]
    kept = [
        files.ssh_key.parent / "worker1" / "authorized_keys",
        files.vagrant_home / "boxes" / "box",
        files.folder / ".vagrant" / "machines" / "worker1",
    ]
    for path in mine + kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("x")
    (files.logs / "link").symlink_to(elsewhere)

    give_files(files, NOBODY, NOBODY)

    owners = {path: (path.stat().st_uid, path.stat().st_gid) for path in [*mine, *kept, elsewhere, files.folder]}
    assert owners == {
        **dict.fromkeys([*mine, files.folder], (NOBODY, NOBODY)),
        **dict.fromkeys([*kept, elsewhere], (0, 0)),
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_users_lab_is_named_as_such(tmp_path: Path) -> None:
    files = LabDirectory(tmp_path / "lab")
    files.ssh_key.parent.mkdir(parents=True)
    files.secrets.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        for question in (files.require, files.is_lab):
            with pytest.raises(HostError, match="belongs to another user") as caught:
                question()
            assert caught.value.next_step.endswith(f"chown -R USER: {files.base}")
    finally:
        os.seteuid(0)
