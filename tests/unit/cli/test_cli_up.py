"""The last line that ``labctl up`` prints."""

from __future__ import annotations

import pytest

from labctl.cli.lab.up import _summary
from labctl.config import parse
from labctl.config.build import build
from labctl.model.lab import Provider
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
