"""Waiting for machines to boot: Vagrant's lines, and what is said when a machine does not come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from labctl.engine.boot import Boot, start_machines
from labctl.errors import LabctlError, RemoteError, StepError
from labctl.model.lab import Lab, Provider
from labctl.scheduler import Event, LineEvent, TaskName
from labctl.steps.plan import Task, make_plan
from labctl.steps.values import READY_MARK

Hear = Callable[[str], None]


class Connections:
    """Machines answer once they are in ``awake``; what stands for a connection is the machine's name."""

    def __init__(self, *awake: str) -> None:
        self.awake = set(awake)

    def to(self, name: str) -> str:
        if name not in self.awake:
            raise RemoteError("no SSH connection", why="Connection refused")
        return name


class Machines:
    """Stands in for a provider's machines: their boot prints lines, then does as told."""

    def __init__(self, *lines: str, then: Callable[[], None] = lambda: None, lab: Lab | None = None) -> None:
        self.lab = lab or SimpleNamespace(provider=Provider.LXC)
        self.lines = lines
        self.then = then
        self.names: list[str] = []
        self.said = threading.Event()

    def boot(self, names: Sequence[str], on_line: Hear) -> None:
        self.names = list(names)
        for line in self.lines:
            on_line(line)
        self.said.set()
        self.then()


@pytest.fixture
def stuck() -> Iterator[Callable[[], None]]:
    """What a Vagrant does that comes to no end."""
    release = threading.Event()

    def then() -> None:
        release.wait(30)

    yield then
    release.set()


def boot_of(vagrant: Machines, to_boot: Sequence[str], on_event: Callable[[Event], None] = lambda event: None) -> Boot:
    return Boot(cast(Any, vagrant), to_boot, on_event)


def wait(boot: Boot, task: Task, connections: Connections) -> tuple[Any, bool]:
    return boot.wait_for(task, cast(Any, connections))


def task(lab: Lab, machine: str, *, deadline: int = 30) -> Task:
    found = make_plan(lab).task(TaskName(machine, "machines"))
    return replace(found, step=replace(found.step, deadline=deadline))


def failing(why: str) -> Callable[[], None]:
    def then() -> None:
        raise LabctlError("vagrant up failed", why=why)

    return then


def test_only_the_machines_that_have_a_step_of_the_plan_boot(article_lab: Lab) -> None:
    vagrant = Machines(lab=article_lab)
    vagrant.machines_to_boot = lambda *_: frozenset({"ingress", "worker1"})  # type: ignore[attr-defined]
    context = SimpleNamespace(provider=vagrant, answers=lambda _: False, on_event=lambda _: None)
    start_machines(cast(Any, context), make_plan(article_lab, until=("controller", "bird"))).finish()
    assert vagrant.names == ["ingress"]


def test_machines_that_run_need_no_vagrant(article_lab: Lab) -> None:
    vagrant = Machines(then=failing("must not be asked"))
    boot = boot_of(vagrant, [])
    boot.start()
    assert wait(boot, task(article_lab, "worker1"), Connections("worker1")) == ("worker1", False)
    boot.finish()
    assert vagrant.names == []


def test_a_machine_counts_as_booted_when_it_answers(article_lab: Lab, stuck: Callable[[], None]) -> None:
    """Vagrant itself takes longer: nobody waits for its end here."""
    connections = Connections("ingress")
    vagrant = Machines(then=stuck)
    boot = boot_of(vagrant, ["worker2", "worker1"])
    boot.start()
    threading.Timer(0.2, connections.awake.add, ["worker1"]).start()
    assert wait(boot, task(article_lab, "worker1"), connections) == ("worker1", True)
    assert wait(boot, task(article_lab, "ingress"), connections) == ("ingress", False)
    assert vagrant.names == ["worker1", "worker2"]


def test_vagrants_lines_reach_the_machines_they_are_about(article_lab: Lab) -> None:
    events: list[Event] = []
    vagrant = Machines(
        "Bringing machine 'worker1' up with 'lxc' provider...",
        "==> worker1: Importing base box 'labctl/debian-13'...",
        "    worker1: Warning: a: b",
        "==> worker1: ",
        "==> ingress: runs already",
    )
    boot = boot_of(vagrant, ["worker1"], events.append)
    boot.start()
    boot.finish()
    assert events == [
        LineEvent(TaskName("worker1", "machines"), "Importing base box 'labctl/debian-13'..."),
        LineEvent(TaskName("worker1", "machines"), "Warning: a: b"),
    ]


def test_vagrants_failure_is_told_at_once(article_lab: Lab) -> None:
    boot = boot_of(Machines("line", then=failing("The box is broken")), ["worker1"])
    boot.start()
    began = time.monotonic()
    with pytest.raises(StepError) as caught:
        wait(boot, task(article_lab, "worker1"), Connections())
    assert time.monotonic() - began < 10
    assert caught.value.what == "worker1 did not boot: vagrant up failed"
    assert (caught.value.where, caught.value.why) == ("worker1", "The box is broken")
    with pytest.raises(LabctlError, match="vagrant up failed"):
        boot.finish()


def test_a_bug_in_vagrants_thread_is_not_waited_out(article_lab: Lab) -> None:
    def then() -> None:
        raise UnicodeDecodeError("ascii", b"\xff", 0, 1, "ordinal not in range")

    boot = boot_of(Machines(then=then), ["worker1"])
    boot.start()
    with pytest.raises(UnicodeDecodeError):
        wait(boot, task(article_lab, "worker1"), Connections())
    with pytest.raises(UnicodeDecodeError):
        boot.finish()


def test_a_machine_that_answers_counts_though_vagrant_failed(article_lab: Lab) -> None:
    boot = boot_of(Machines(then=failing("another machine's fault")), ["worker1", "worker2"])
    boot.start()
    with pytest.raises(LabctlError, match="vagrant up failed"):
        boot.finish()
    assert wait(boot, task(article_lab, "worker1"), Connections("worker1")) == ("worker1", True)


def test_too_late_while_vagrant_still_works(article_lab: Lab, stuck: Callable[[], None]) -> None:
    vagrant = Machines("first", "==> worker1: Starting container...", then=stuck)
    boot = boot_of(vagrant, ["worker1"])
    boot.start()
    assert vagrant.said.wait(10)
    with pytest.raises(StepError) as caught:
        wait(boot, task(article_lab, "worker1", deadline=0), Connections())
    assert caught.value.what == "worker1 did not answer over SSH within 0 s"
    assert caught.value.why == "Connection refused; Vagrant's last line: ==> worker1: Starting container..."


def test_too_late_though_vagrant_is_done(article_lab: Lab) -> None:
    boot = boot_of(Machines(), ["worker1"])
    boot.start()
    boot.finish()
    with pytest.raises(StepError) as caught:
        wait(boot, task(article_lab, "worker1", deadline=0), Connections())
    assert caught.value.why == "Vagrant is done, but Connection refused"


def test_too_late_for_a_machine_that_was_running(article_lab: Lab) -> None:
    boot = boot_of(Machines(), [])
    boot.start()
    with pytest.raises(StepError) as caught:
        wait(boot, task(article_lab, "worker1", deadline=0), Connections())
    assert caught.value.why == "Connection refused"


def on_virtualbox(lab: Lab) -> Lab:
    return replace(lab, provider=Provider.VIRTUALBOX)


def test_a_virtual_machine_is_left_alone_until_it_has_its_keys(article_lab: Lab, stuck: Callable[[], None]) -> None:
    """OpenSSH shuts out who knocks too often with a key that does not fit."""
    tried: list[str] = []

    class Counting(Connections):
        def to(self, name: str) -> str:
            tried.append(name)
            return super().to(name)

    vagrant = Machines(f"    ingress: {READY_MARK}", then=stuck, lab=on_virtualbox(article_lab))
    boot = Boot(cast(Any, vagrant), ["ingress", "worker1"], lambda _: None)
    boot.start()
    connections = Counting("ingress", "worker1", "worker2")
    assert wait(boot, task(article_lab, "ingress"), connections) == ("ingress", True)
    assert wait(boot, task(article_lab, "worker2"), connections) == ("worker2", False)  # it ran before
    waiting = threading.Thread(target=wait, args=(boot, task(article_lab, "worker1"), connections), daemon=True)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    assert tried == ["ingress", "worker2"]


def test_a_virtual_machine_that_says_nothing_is_tried_when_vagrant_has_ended(article_lab: Lab) -> None:
    boot = Boot(cast(Any, Machines("nothing new", lab=on_virtualbox(article_lab))), ["worker1"], lambda _: None)
    boot.start()
    assert wait(boot, task(article_lab, "worker1"), Connections("worker1")) == ("worker1", True)


def test_an_interrupted_labctl_waits_for_no_machine(article_lab: Lab) -> None:
    """A machine that runs and never answers: the step's own deadline is minutes away."""
    boot = boot_of(Machines(), [])
    threading.Timer(0.2, boot.stop).start()
    began = time.monotonic()
    with pytest.raises(StepError, match="gave up waiting"):
        wait(boot, task(article_lab, "worker1", deadline=300), Connections())
    assert time.monotonic() - began < 30
