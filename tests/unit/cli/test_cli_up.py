"""What ``labctl up`` says before sudo takes over, and its last line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from labctl.cli.app import Application
from labctl.cli.lab.up import _summary
from labctl.config import parse
from labctl.config.build import build
from labctl.errors import HostError
from labctl.model.lab import Lab, Provider
from labctl.providers.doctor import Examined
from labctl.providers.probe import ok
from labctl.providers.publishers import PROBE
from labctl.scheduler import Outcome, TaskName
from labctl.steps.plan import make_plan

EXERCISE = ", or do it by hand with labctl tour --exercise"


@pytest.mark.parametrize(
    ("more", "until", "left"),
    [
        ("", ("controller", "app"), EXERCISE),
        ("", ("controller", "bgp-peers", "calico"), EXERCISE),
        ("", ("bird", "app"), ""),
        ("", ("base",), ""),
        ("router: true\n", ("controller", "app"), ""),
    ],
)
def test_the_summary_says_what_is_left(more: str, until: tuple[str, ...], left: str) -> None:
    lab = build(parse(more.encode()), Provider.LXC)
    done = [TaskName(task.machine.name, task.step.name) for task in make_plan(lab, until=until).tasks]
    words = _summary(lab, Outcome(done=done), until, 65.0)
    steps = f"step{'s' if len(until) > 1 else ''} {' and '.join(until)}"
    assert words == f'lab "lab": stopped after {steps} (1 min 5 s); `labctl up` does the rest{left}'


def test_what_sudo_starts_says_the_warnings_again_so_they_wait_for_it(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_sudo(app: Application, lab: Lab, purpose: str) -> None:
        app.note("sudo asks")
        raise HostError("sudo takes over")

    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    monkeypatch.setattr("labctl.cli.lab.up.require", lambda *_, **__: [Examined(PROBE, ok("they answer"))])
    monkeypatch.setattr("labctl.cli.lab.up.become_root", ask_sudo)
    done = run("-C", str(tmp_path), "up")
    assert done.stderr.splitlines()[0] == "sudo asks"
    assert "they answer" not in done.stderr
