"""The step bird, run in a folder. bird, birdc, systemctl and install are STAND-INS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.step_in_folder import StepInFolder

from labctl.model.lab import Lab

pytestmark = pytest.mark.real_program("bash")


def test_a_bird_that_boots_with_the_machine_is_waited_for(tmp_path: Path, make_lab: Callable[[str], Lab]) -> None:
    """systemd calls it active before its socket is there: `up` after a killed `destroy` failed at this."""
    programs = {
        "birdc": '[ "$*" != "show status" ] || touch asked; [ -e socket ]',
        "sleep": "[ ! -e asked ] || touch socket",
        **dict.fromkeys(("bird", "systemctl", "install"), ""),
    }
    status, calls = StepInFolder(tmp_path, make_lab(""), "ingress", "bird", programs).run()
    assert status == 0
    assert calls[-3:] == ["sleep 0.3", "birdc show status", "birdc configure"]
