from __future__ import annotations

import pytest

from labctl.tour.runner import Stop, TourRunner, Visit


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Time goes by in jumps, so that nothing waits."""
    clock = {"now": 0.0}

    def sleep(seconds: float) -> None:
        clock["now"] += 5 * seconds

    monkeypatch.setattr("labctl.tour.runner.time.sleep", sleep)
    monkeypatch.setattr("labctl.tour.runner.time.monotonic", lambda: clock["now"])


@pytest.fixture
def lab():
    from support.made_facts import make_lab

    return make_lab()


@pytest.fixture
def visit(lab):
    """Visits one stop, with edited answers; returns what came of it."""
    from support.played_tour import Machines, Recorder

    from labctl.tour.runner import run_tour

    def visitor(stop: Stop, edit=None) -> Visit:
        machines, watcher = Machines(edit), Recorder()
        (found,) = run_tour([stop], TourRunner(lab, machines, watcher), watcher)
        return found

    return visitor
