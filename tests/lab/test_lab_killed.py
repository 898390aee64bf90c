"""labctl killed at random moments: three kills in each run; `make reliability` makes many, with a report."""

from __future__ import annotations

import secrets

from support.lab_under_test import LabUnderTest
from tools.kill_trials import CONFIG, KillTrials


def test_what_was_killed_converges_or_is_destroyed(host_before: dict[str, list[str]]) -> None:
    seed = secrets.randbelow(1_000_000)
    lab = LabUnderTest("labtest-kill", CONFIG.format(subnet="192.168.77.0/24", services="10.77.0.0/16"))
    lab.destroy()
    killer = KillTrials(lab, seed)
    try:
        trials = killer.many(3)
    finally:
        lab.destroy()
    assert [trial.line for trial in trials if trial.wrong] == [], f"python -m tools.kill_trials --seed {seed}"
