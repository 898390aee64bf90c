"""The critical path of up: from events, and from a plan of the article's lab that ran as made up here."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.bench.critical_path import Span, critical_path, spans

from labctl.model.lab import Lab
from labctl.scheduler import TaskName
from labctl.steps.plan import make_plan


def test_spans_come_from_the_events_that_end_a_step() -> None:
    lines = [
        (0.1, {"event": "step", "machine": "worker1", "step": "base", "state": "running", "seconds": 0.0}),
        (2.1, {"event": "step", "machine": "worker1", "step": "base", "state": "done", "seconds": 2.0}),
        (3.0, {"event": "step", "machine": "ingress", "step": "bird", "state": "skipped", "seconds": 0.5}),
        (4.0, {"event": "step", "machine": "ingress", "step": "haproxy", "state": "failed", "seconds": 1.0}),
        (9.0, {"event": "end", "ok": True, "seconds": 9.0}),
    ]
    base, bird = TaskName("worker1", "base"), TaskName("ingress", "bird")
    assert spans((at, json.dumps(event)) for at, event in lines) == {
        base: Span(base, pytest.approx(0.1), 2.1),
        bird: Span(bird, 2.5, 3.0),
    }


def test_a_step_that_waits_by_itself_counts_from_when_what_it_waits_for_was_done(article_lab: Lab) -> None:
    names = {str(task.name): task.name for task in make_plan(article_lab).tasks}
    times = {
        "worker1/machines": (0, 3),
        "worker1/base": (3, 4),
        "worker1/kubernetes": (4, 6),
        "controlplane/control-plane": (5, 15),
        "worker1/join": (7, 20),
    }
    done = {names[name]: Span(names[name], begin, end) for name, (begin, end) in times.items()}
    chain = [(str(link.name), link.wait, link.work) for link in critical_path(article_lab, done)]
    assert chain == [("controlplane/control-plane", 5, 10), ("worker1/join", 0, 5)]


@given(st.data())
def test_waits_and_work_are_all_of_the_time(article_lab: Lab, data: st.DataObject) -> None:
    times = st.tuples(st.floats(0, 50), st.floats(0, 50))
    done = {}
    for task in make_plan(article_lab).tasks:
        begin, length = data.draw(times)
        begin = max([begin, *(done[need].end for need in task.needs if need in done)])
        done[task.name] = Span(task.name, begin, begin + length)
    chain = critical_path(article_lab, done)
    assert sum(link.wait + link.work for link in chain) == pytest.approx(max(span.end for span in done.values()))
    assert all(link.wait >= 0 and link.work >= 0 for link in chain)


def test_nothing_done_has_no_critical_path(article_lab: Lab) -> None:
    assert critical_path(article_lab, {}) == []
