"""The plan of a lab: every step on every machine that it concerns, and what each waits for. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

from labctl.model.lab import Lab, Machine
from labctl.scheduler import TaskName
from labctl.steps.catalogue import STEPS, Need, Step


@dataclass(frozen=True, slots=True)
class Task:
    """A step on a machine. needs: the tasks that must be done before it. beside: those that it waits for as it runs."""

    name: TaskName
    step: Step
    machine: Machine
    needs: frozenset[TaskName]
    beside: frozenset[TaskName] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """All tasks of a lab, in an order in which they could run one after the other."""

    tasks: tuple[Task, ...]

    def for_machine(self, machine: str) -> tuple[Task, ...]:
        """The tasks of one machine, in order."""
        return tuple(task for task in self.tasks if task.machine.name == machine)

    @property
    def machines(self) -> frozenset[str]:
        """The names of the machines that have a task."""
        return frozenset(task.machine.name for task in self.tasks)

    def task(self, name: TaskName) -> Task:
        """The task of that name. Raises KeyError if the plan has none."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(str(name))


def make_plan(lab: Lab, *, until: tuple[str, ...] = ()) -> Plan:
    """The plan for lab; with until, only those steps, what they need and what they wait for as they run.

    Raises graphlib.CycleError if the catalogue of steps were circular (a test proves that it is not).
    """
    tasks = {
        TaskName(machine.name, step.name): _task(lab, machine, step)
        for step in STEPS
        for machine in lab.machines
        if machine.role in step.roles and step.wanted(lab)
    }
    wanted = _needed(tasks, [name for name in tasks if name.step in until]) if until else set(tasks)
    graph = {name: tasks[name].needs for name in tasks if name in wanted}
    TopologicalSorter(graph).prepare()
    return Plan(tuple(tasks[name] for name in tasks if name in wanted))


def _task(lab: Lab, machine: Machine, step: Step) -> Task:
    needs = frozenset(name for need in step.needs for name in _resolve(lab, machine, need))
    beside = frozenset(name for need in step.beside for name in _resolve(lab, machine, need))
    patient = replace(step, deadline=step.deadline * lab.patience)
    return Task(TaskName(machine.name, step.name), patient, machine, needs, beside)


def _resolve(lab: Lab, machine: Machine, need: Need) -> list[TaskName]:
    step = next(step for step in STEPS if step.name == need.step)
    if not need.everywhere:
        return [TaskName(machine.name, step.name)] if machine.role in step.roles else []
    return [TaskName(other.name, step.name) for other in lab.machines if other.role in step.roles]


def _needed(tasks: dict[TaskName, Task], start: list[TaskName]) -> set[TaskName]:
    found: set[TaskName] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(tasks[name].needs | tasks[name].beside)
    return found
