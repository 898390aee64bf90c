"""Which of a lab's containers have to be booted, where one of those that run is on its way down."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.engine import up
from labctl.errors import RemoteError
from labctl.model.lab import Lab
from labctl.scheduler import Event, LineEvent, TaskName

ALL = frozenset({"ingress", "controlplane", "worker1", "worker2"})


class Answering:
    """Connections to machines, of which some answer no more."""

    def __init__(self, silent: set[str]) -> None:
        self.silent = silent

    def to(self, name: str) -> None:
        if name in self.silent:
            raise RemoteError("no answer", where=name)


def looked_at(monkeypatch: pytest.MonkeyPatch, *running: frozenset[str]) -> list[float]:
    """What runs, from look to look; returns the seconds that are waited between them."""
    seen, waited = list(running), list[float]()
    monkeypatch.setattr(up.lxc, "running", lambda _lab: seen.pop(0) if len(seen) > 1 else seen[0])
    monkeypatch.setattr(up.time, "sleep", waited.append)
    return waited


def test_a_container_that_ends_is_booted(article_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    waited, told = looked_at(monkeypatch, ALL, ALL, ALL - {"controlplane"}), list[Event]()
    connections: Any = Answering({"controlplane"})
    files: Any = None
    assert up.asleep(article_lab, files, connections, told.append) == {"controlplane"}
    assert len(waited) == 2
    assert told == [LineEvent(TaskName("controlplane", "machines"), "it runs and does not answer: given 100 s to end")]


def test_where_all_answer_nothing_is_waited_for(article_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    waited, told = looked_at(monkeypatch, ALL - {"worker2"} | {"another"}), list[Event]()
    connections: Any = Answering(set())
    files: Any = None
    assert up.asleep(article_lab, files, connections, told.append) == {"worker2"}
    assert (waited, told) == ([], [])


def test_one_that_runs_and_never_answers_is_left_to_the_step_s_own_deadline(
    article_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at(monkeypatch, ALL)
    told = list[Event]()
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(up.time, "monotonic", lambda: next(clock))
    connections: Any = Answering({"worker1"})
    files: Any = None
    assert up.asleep(article_lab, files, connections, told.append) == frozenset()
