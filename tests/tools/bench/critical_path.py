"""Where the seconds of ``labctl up`` went: its events, and the chain of steps that nothing could have made shorter.

Each step on the chain waited for the one before it. A step counts from when its last need was done, as some start
earlier and wait by themselves (``beside`` in labctl/steps/catalogue.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.model.lab import Lab
from labctl.scheduler import TaskName
from labctl.steps.plan import Plan, Task, make_plan


@dataclass(frozen=True, slots=True)
class Span:
    """A step on a machine: when it began and ended, seconds since ``up`` was started."""

    name: TaskName
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Link:
    """A step on the critical path. wait: seconds from its last need's end until it began. work: seconds after that."""

    name: TaskName
    wait: float
    work: float


def spans(lines: Iterable[tuple[float, str]]) -> dict[TaskName, Span]:
    """From the lines of ``up --output json``, each with the second at which it came."""
    found: dict[TaskName, Span] = {}
    for at, line in lines:
        event = json.loads(line)
        if event.get("event") == "step" and event["state"] in {"done", "skipped"}:
            name = TaskName(event["machine"], event["step"])
            found[name] = Span(name, at - event["seconds"], at)
    return found


def critical_path(lab: Lab, done: dict[TaskName, Span]) -> list[Link]:
    """The chain that ends with the last step, first step first. Empty where nothing was done."""
    plan = make_plan(lab)
    links: list[Link] = []
    current = max(done.values(), key=lambda span: span.end, default=None)
    while current is not None:
        before = _waited_for(plan, done, current)
        ready = before.end if before else 0.0
        begin = max(ready, current.begin)
        links.append(Link(current.name, begin - ready, current.end - begin))
        current = before
    return links[::-1]


def _waited_for(plan: Plan, done: dict[TaskName, Span], span: Span) -> Span | None:
    """The last of a step's needs to end, of those that ended before the step did."""
    task: Task = plan.task(span.name)
    needed = [done[name] for name in task.needs | task.beside if name in done and done[name].end < span.end]
    return max(needed, key=lambda one: one.end, default=None)
