"""``labctl up``'s last words."""

from __future__ import annotations

import pytest

from labctl.cli.up import _closing_words
from labctl.config import parse
from labctl.config.build import build
from labctl.model.lab import Provider
from labctl.scheduler import Outcome, TaskName
from labctl.steps.plan import make_plan

EXERCISE = ", or the class by hand: labctl tour --exercise"


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
def test_what_is_left_is_said(more: str, until: tuple[str, ...], left: str) -> None:
    lab = build(parse(more.encode()), Provider.LXC)
    done = [TaskName(task.machine.name, task.step.name) for task in make_plan(lab, until=until).tasks]
    words = _closing_words(lab, Outcome(done=done), until, 65.0)
    assert words.startswith("the lab lab is up to the step")
    assert words.endswith(f"`labctl up` does the rest{left}")
