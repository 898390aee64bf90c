"""Plain `vagrant up` on the rendered files, without labctl, builds the same lab."""

from __future__ import annotations

from collections.abc import Callable

from support.host_state import differences, look_at_host
from support.lab_under_test import LabUnderTest, environment, run


def test_plain_vagrant_builds_the_same_lab(
    new_lab: Callable[..., LabUnderTest], host_before: dict[str, list[str]]
) -> None:
    lab = new_lab("labtest-vagrant")
    lab.labctl("render")
    # Only so that the user's own ~/.vagrant.d is left alone.
    home = {"VAGRANT_HOME": str(lab.own / "vagrant"), "VAGRANT_CHECKPOINT_DISABLE": "1"}

    def vagrant(*words: str) -> str:
        done = run(["vagrant", *words], cwd=lab.own, env=environment() | home, seconds=600)
        assert done.status == 0, done.text
        return done.stdout

    vagrant("validate")
    vagrant("up", "--provider", "lxc")
    assert lab.verify("--wait", "60")["ok"] is True
    vagrant("destroy", "--force")
    left = [line for line in differences(host_before, look_at_host()) if not line.startswith("files:")]
    assert left == []
