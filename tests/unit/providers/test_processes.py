"""What a killed labctl left at work on a lab: the copies of snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_host import fake_host

from labctl.host.processes import Process
from labctl.model.lab import Lab
from labctl.providers.processes import MARK, end_leftovers

LXC = "/var/lib/lxc"


@pytest.mark.parametrize(
    ("words", "folder", "marked", "ended"),
    [
        (["bash", "-s", "--", f"{LXC}/labctl-lab-worker1", f"{LXC}/labctl-lab.snapshots/1/x"], "/", True, True),
        (["cp", "-a", "config", f"--target-directory={LXC}/labctl-lab-worker1/disk"], "/", True, True),
        (["find", "."], f"{LXC}/labctl-lab.snapshots/1/worker1", True, True),
        (["bash"], f"{LXC}/labctl-lab-worker1", False, False),  # an administrator looks around
        (["cp", "-a", f"{LXC}/labctl-lab-2-worker1", "/tmp"], "/", True, False),  # another lab's
        (["cp", "-a", f"{LXC}/labctl-lab-2.snapshots", "/tmp"], "/", True, False),
    ],
)
def test_a_copy_that_goes_on_is_ended(
    tmp_path: Path, article_lab: Lab, words: list[str], folder: str, marked: bool, ended: bool
) -> None:
    process = Process(7, words[0], tuple(words), folder, {MARK: "1"} if marked else {}, 0.0)
    host = fake_host(tmp_path, running=[process])
    assert end_leftovers(article_lab, tmp_path / ".labctl", host) == ended
    assert bool(host.ended) == ended
