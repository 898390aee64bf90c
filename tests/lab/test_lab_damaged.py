"""A lab's files deleted or damaged, its host rebooted, two labs at once: four trials; damage_trials.py has them all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_under_test import LabUnderTest
from tools.damage_trials import TRIALS, DamageTrials
from tools.kill_trials import CONFIG


@pytest.fixture(scope="module")
def trials(host_before: dict[str, list[str]]) -> Iterator[DamageTrials]:
    """Two labs' directories with the same networks; both are destroyed afterwards."""
    config = CONFIG.format(subnet="192.168.77.0/24", services="10.77.0.0/16")
    both = [LabUnderTest(name, config) for name in ("labtest-damage", "labtest-damage-2")]
    for lab in both:
        lab.destroy()
    made = DamageTrials(*both)
    yield made
    made.is_absent()


@pytest.mark.parametrize(
    "name", ["two-labs-at-once", "files-are-gone-and-up", "the-host-reboots", "everything-is-damaged"]
)
def test_the_lab_converges_or_nothing_of_it_is_left(trials: DamageTrials, name: str) -> None:
    TRIALS[name](trials)
