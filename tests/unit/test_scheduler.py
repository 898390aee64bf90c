"""Running tasks: order, side by side, and what a failure stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

import pytest

from labctl.errors import LabctlError, RemoteError, StepError
from labctl.model.lab import Lab
from labctl.scheduler import Event, Outcome, State, StateEvent, TaskName, run_tasks
from labctl.steps.plan import Plan, Task, make_plan


class Recorder:
    """Notes events, and in which order tasks began and ended. waiting: the tasks that never end by themselves."""

    def __init__(self, work: Callable[[Task], bool] = lambda task: True, *, waiting: Collection[str] = ()) -> None:
        self.events: list[Event] = []
        self.began: list[TaskName] = []
        self.ended: list[TaskName] = []
        self._work, self._waiting = work, waiting
        self._lock = threading.Lock()

    def do(self, task: Task, given_up: threading.Event) -> bool:
        with self._lock:
            self.began.append(task.name)
            assert task.needs <= set(self.ended), f"{task.name} began too early"
        changed = self._work(task)
        if str(task.name) in self._waiting:
            assert given_up.wait(60)
            raise RemoteError("given up")
        with self._lock:
            self.ended.append(task.name)
        return changed

    def states(self, name: str) -> list[State]:
        machine, step = name.split("/")
        return [
            event.state
            for event in self.events
            if isinstance(event, StateEvent) and event.task == TaskName(machine, step)
        ]


def run(plan: Plan, recorder: Recorder) -> Outcome:
    return run_tasks(plan.tasks, recorder.do, recorder.events.append)


def failing(*names: str) -> Callable[[Task], bool]:
    def work(task: Task) -> bool:
        if str(task.name) in names:
            raise StepError(f"{task.name} failed")
        return True

    return work


def as_text(names: list[TaskName] | dict[TaskName, LabctlError]) -> list[str]:
    return sorted(str(name) for name in names)


def test_every_task_once_after_what_it_needs(make_lab: Callable[..., Lab]) -> None:
    plan = make_plan(make_lab(workers=8))
    recorder = Recorder()
    outcome = run(plan, recorder)
    assert outcome.ok
    assert sorted(outcome.done) == sorted(task.name for task in plan.tasks) == sorted(recorder.began)
    assert (outcome.skipped, outcome.failed, outcome.left) == ([], {}, [])


def test_machines_are_worked_on_side_by_side(article_lab: Lab) -> None:
    """Each of the four boots waits for the other three: one after the other, they would never end."""
    together = threading.Barrier(4, timeout=60)

    def work(task: Task) -> bool:
        if task.step.name == "machines":
            together.wait()
        return True

    assert run(make_plan(article_lab), Recorder(work)).ok


def test_steps_of_one_machine_that_do_not_need_each_other_run_side_by_side(article_lab: Lab) -> None:
    together = threading.Barrier(2, timeout=60)

    def work(task: Task) -> bool:
        if str(task.name) in {"worker1/runtime", "worker1/kubernetes"}:
            together.wait()
        return True

    assert run(make_plan(article_lab), Recorder(work)).ok


def test_events_tell_what_was_done_and_what_held_already(article_lab: Lab) -> None:
    recorder = Recorder(lambda task: task.step.name != "base")
    outcome = run(make_plan(article_lab, until=("bird",)), recorder)
    assert recorder.states("ingress/machines") == [State.RUNNING, State.DONE]
    assert recorder.states("ingress/base") == [State.RUNNING, State.SKIPPED]
    assert recorder.states("ingress/bird") == [State.RUNNING, State.DONE]
    assert as_text(outcome.skipped) == ["ingress/base"]
    assert outcome.ok
    assert all(event.seconds >= 0 for event in recorder.events if isinstance(event, StateEvent))


def test_a_failure_stops_only_what_depends_on_it(article_lab: Lab) -> None:
    recorder = Recorder(failing("controlplane/bgp-peers"))
    plan = make_plan(article_lab)
    outcome = run(plan, recorder)
    assert not outcome.ok
    assert as_text(outcome.failed) == ["controlplane/bgp-peers"]
    assert as_text(outcome.left) == ["controlplane/app"]
    assert recorder.states("controlplane/bgp-peers") == [State.RUNNING, State.FAILED]
    assert recorder.states("controlplane/app") == []
    assert {"worker1/calico", "worker2/join", "ingress/bird", "ingress/controller"} <= set(as_text(outcome.done))
    assert len(outcome.done) + len(outcome.failed) + len(outcome.left) == len(plan.tasks)


def test_what_waits_for_a_failure_as_it_runs_is_given_up(article_lab: Lab) -> None:
    """Workers begin to join before the API answers: where it never will, they are not waited for, nor said to fail."""
    both = threading.Event()

    def work(task: Task) -> bool:
        if str(task.name) == "worker1/join":
            both.set()
        if str(task.name) == "controlplane/control-plane":
            assert both.wait(60)
            raise StepError("no API")
        return True

    workers = ("worker1/join", "worker2/join", "worker1/calico", "worker2/calico")
    recorder = Recorder(work, waiting={"controlplane/calico", *workers})
    outcome = run(make_plan(article_lab), recorder)
    assert as_text(outcome.failed) == ["controlplane/control-plane"]
    nodes = ["controlplane/app", "controlplane/bgp-peers", "controlplane/calico"]
    assert as_text(outcome.left) == [*nodes, "worker1/calico", "worker1/join", "worker2/calico", "worker2/join"]
    assert recorder.states("worker1/join") == [State.RUNNING, State.FAILED]
    assert "ingress/bird" in as_text(outcome.done)


def test_several_failures_are_all_kept(article_lab: Lab) -> None:
    outcome = run(make_plan(article_lab), Recorder(failing("worker1/base", "ingress/bird")))
    assert as_text(outcome.failed) == ["ingress/bird", "worker1/base"]
    assert str(outcome.failed[TaskName("ingress", "bird")]) == "ingress/bird failed"
    assert "worker1/join" in as_text(outcome.left)
    assert "controlplane/app" in as_text(outcome.left)
    assert "worker2/calico" in as_text(outcome.done)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_other_exceptions_pass_and_nothing_new_begins(article_lab: Lab, kind: type[BaseException]) -> None:
    def work(task: Task) -> bool:
        if task.step.name == "machines" and task.machine.name == "ingress":
            raise kind("a bug, or the user")
        return True

    recorder = Recorder(work)
    with pytest.raises(kind, match="a bug, or the user"):
        run(make_plan(article_lab), recorder)
    assert TaskName("ingress", "base") not in recorder.began


def test_an_interrupt_is_raised_while_others_still_work(article_lab: Lab) -> None:
    """labctl ends what still runs itself: the scheduler must not wait for it."""
    release = threading.Event()
    waited: list[bool] = []

    def work(task: Task) -> bool:
        if task.machine.name == "ingress":
            raise KeyboardInterrupt
        waited.append(release.wait(5))
        return True

    try:
        with pytest.raises(KeyboardInterrupt):
            run(make_plan(article_lab), Recorder(work))
        assert waited == []
    finally:
        release.set()


def test_an_empty_plan_is_done() -> None:
    assert run(Plan(()), Recorder()).ok


@pytest.mark.parametrize("kind", [StepError, KeyboardInterrupt])
def test_all_or_nothing_gives_up_the_others_and_waits_for_them(article_lab: Lab, kind: type[BaseException]) -> None:
    others = threading.Barrier(4, timeout=60)
    ended: list[bool] = []

    def do(task: Task, given_up: threading.Event) -> bool:
        others.wait()
        if task.machine.name == "ingress":
            raise kind("a failure, or the user")
        ended.append(given_up.wait(60))
        raise StepError("given up")

    plan = make_plan(article_lab, until=("machines",))
    assert len(plan.tasks) == 4
    try:
        outcome = run_tasks(plan.tasks, do, lambda event: None, all_or_nothing=True)
    except KeyboardInterrupt:
        assert kind is KeyboardInterrupt
    else:
        assert as_text(outcome.failed) == ["ingress/machines"]
        assert len(outcome.left) == 3
    assert ended == [True, True, True]


def test_needs_outside_of_the_run_count_as_done(article_lab: Lab) -> None:
    plan = make_plan(article_lab)
    only = [plan.task(TaskName("ingress", "bird"))]
    assert run_tasks(only, lambda task, given_up: True, lambda event: None).done == [TaskName("ingress", "bird")]
