"""The plan: what runs where, what waits for what, and what --until leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.model.lab import Lab, Role
from labctl.scheduler import TaskName
from labctl.steps.catalogue import STEPS
from labctl.steps.plan import Plan, make_plan
from labctl.steps.tree import render_tree

STEP_NAMES = [step.name for step in STEPS]


def named(*names: str) -> set[TaskName]:
    return {TaskName(*name.split("/")) for name in names}


def names(plan: Plan) -> set[TaskName]:
    return {task.name for task in plan.tasks}


def before(plan: Plan, name: TaskName) -> set[TaskName]:
    """Every task that is done before a task begins."""
    found: set[TaskName] = set()
    for need in plan.task(name).needs:
        found |= {need} | before(plan, need)
    return found


def steps_on(plan: Plan, machine: str) -> list[str]:
    return [task.step.name for task in plan.for_machine(machine)]


def test_the_steps_of_each_machine_in_the_promised_order(article_lab: Lab) -> None:
    """CONTRACT, "Steps"."""
    plan = make_plan(article_lab)
    assert steps_on(plan, "controlplane") == [
        "machines", "base", "runtime", "kubernetes", "control-plane", "calico", "bgp-peers", "app",
    ]  # fmt: skip
    assert steps_on(plan, "worker1") == ["machines", "base", "runtime", "kubernetes", "join", "calico"]
    assert steps_on(plan, "worker2") == steps_on(plan, "worker1")
    assert steps_on(plan, "ingress") == ["machines", "base", "haproxy", "controller", "bird"]


def test_needs_of_the_articles_lab(article_lab: Lab) -> None:
    plan = make_plan(article_lab)

    def needs(name: str) -> set[TaskName]:
        return set(plan.task(TaskName(*name.split("/"))).needs)

    assert needs("worker1/machines") == set()
    assert needs("worker1/base") == named("worker1/machines")
    assert needs("worker1/join") == named("worker1/runtime", "worker1/kubernetes")
    assert needs("controlplane/calico") == named("controlplane/runtime", "controlplane/kubernetes")
    assert needs("worker1/calico") == named("worker1/runtime", "worker1/kubernetes")
    assert needs("ingress/bird") == needs("ingress/haproxy") == named("ingress/base")
    assert needs("controlplane/app") == named("controlplane/calico", "worker1/calico", "worker2/calico")
    assert TaskName("controlplane", "bgp-peers") in plan.task(TaskName("controlplane", "app")).beside


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("", {"runtime"}),
        ("source: upstream\n", {"runtime", "control-plane"}),
        ("source: upstream\nsources: {cache: /cache, offline: true}\n", {"runtime", "control-plane", "calico"}),
    ],
)
def test_a_step_that_asks_containerd_waits_for_it(make_lab: Callable[..., Lab], more: str, found: set[str]) -> None:
    """On a virtual machine, whose packages take minutes, calico once asked before runtime had installed it."""
    lab = make_lab(more)
    plan = make_plan(lab)
    tree = render_tree(lab, join_hash="sha256:0", box_file=None)
    asking = set()
    for task in plan.tasks:
        script = tree.get(PurePosixPath(f"machines/{task.name.machine}/steps/{task.name.step}.sh"))
        if script and re.search(r"\b(crictl|ctr) ", script.content.decode()):
            asking.add(task.name.step)
            runtime = TaskName(task.name.machine, "runtime")
            assert task.name.step == "runtime" or runtime in before(plan, task.name), task.name
    assert asking == found


def test_ingress_waits_for_no_node_and_no_node_for_ingress(article_lab: Lab) -> None:
    plan = make_plan(article_lab)
    for task in plan.tasks:
        others = {need.machine for need in before(plan, task.name)}
        if task.machine.role is Role.INGRESS:
            assert others <= {"ingress"}
        else:
            assert "ingress" not in others


def test_every_machine_boots_first(article_lab: Lab) -> None:
    plan = make_plan(article_lab)
    for task in plan.tasks:
        if task.step.name != "machines":
            assert TaskName(task.machine.name, "machines") in before(plan, task.name)


@settings(max_examples=20, deadline=None)
@given(workers=st.integers(1, 64), until=st.sampled_from([None, *STEP_NAMES]))
def test_tasks_stand_after_what_they_need(make_lab: Callable[..., Lab], workers: int, until: str | None) -> None:
    plan = make_plan(make_lab_once(make_lab, workers), until=(until,))
    seen: set[TaskName] = set()
    for task in plan.tasks:
        assert task.needs <= seen
        seen.add(task.name)
    assert len(seen) == len(plan.tasks)
    assert set(TopologicalSorter({task.name: task.needs for task in plan.tasks}).static_order()) == seen


LABS: dict[int, Lab] = {}


def make_lab_once(make_lab: Callable[..., Lab], workers: int) -> Lab:
    if workers not in LABS:
        LABS[workers] = make_lab(workers=workers)
    return LABS[workers]


@pytest.mark.parametrize("workers", [1, 2, 64])
def test_with_few_and_many_workers(make_lab: Callable[..., Lab], workers: int) -> None:
    lab = make_lab_once(make_lab, workers)
    plan = make_plan(lab)
    assert len(lab.workers) == workers
    assert len(plan.tasks) == 5 + 8 + 6 * workers
    nodes = [need for need in plan.task(TaskName("controlplane", "app")).needs if need.step == "calico"]
    assert len(nodes) == workers + 1


def test_until_base_is_booting_and_base(article_lab: Lab) -> None:
    assert names(make_plan(article_lab, until=("base",))) == {
        TaskName(machine.name, step) for machine in article_lab.machines for step in ("machines", "base")
    }


def test_until_bird_leaves_the_cluster_alone(article_lab: Lab) -> None:
    assert names(make_plan(article_lab, until=("bird",))) == named("ingress/machines", "ingress/base", "ingress/bird")


def test_until_control_plane(article_lab: Lab) -> None:
    steps = ("machines", "base", "runtime", "kubernetes", "control-plane")
    assert names(make_plan(article_lab, until=("control-plane",))) == {TaskName("controlplane", step) for step in steps}


def test_all_but_bird_is_left_for_the_class(article_lab: Lab) -> None:
    left = names(make_plan(article_lab)) - names(make_plan(article_lab, until=("bgp-peers", "calico", "controller")))
    assert left == named("ingress/bird", "controlplane/app")
    left = names(make_plan(article_lab)) - names(make_plan(article_lab, until=("app", "controller")))
    assert left == named("ingress/bird")


@pytest.mark.parametrize("until", STEP_NAMES)
def test_until_holds_all_that_its_steps_wait_for(article_lab: Lab, until: str) -> None:
    """A step may wait for others while it runs (join: for the control plane): without them it would never end."""
    whole, part = make_plan(article_lab), make_plan(article_lab, until=(until,))
    assert {task.name for task in whole.tasks if task.name.step == until} <= names(part)
    for task in part.tasks:
        assert task == whole.task(task.name)
        assert task.needs | task.beside <= names(part)


def test_joining_needs_a_control_plane_and_the_app_needs_workers(article_lab: Lab) -> None:
    assert named("controlplane/control-plane") <= names(make_plan(article_lab, until=("join",)))
    assert named("worker1/join", "worker2/join") <= names(make_plan(article_lab, until=("calico",)))
    assert named("worker1/join", "worker2/calico") <= names(make_plan(article_lab, until=("app",)))


def test_nobody_waits_for_itself_by_way_of_what_runs_beside_it(article_lab: Lab) -> None:
    """Needs and what a step waits for as it runs have no circle together: else two steps would wait for each other."""
    plan = make_plan(article_lab)
    TopologicalSorter({task.name: task.needs | task.beside for task in plan.tasks}).prepare()


def test_an_unknown_name_is_refused(article_lab: Lab) -> None:
    with pytest.raises(KeyError):
        make_plan(article_lab).task(TaskName("worker9", "base"))
    assert make_plan(article_lab).for_machine("worker9") == ()


def test_the_catalogue_is_consistent(templates: Path) -> None:
    """Each step's roles, needs, scripts and files exist."""
    assert len(set(STEP_NAMES)) == len(STEPS)
    for position, step in enumerate(STEPS):
        assert step.deadline > 0
        assert step.title
        for need in step.needs:
            assert need.step in STEP_NAMES[:position]
        for file in step.files:
            assert (templates / "scripts/files" / f"{file}.j2").is_file()


def test_emulated_machines_get_more_time_for_every_step(article_lab: Lab) -> None:
    slow = replace(article_lab, emulated=True)
    assert [task.step.deadline for task in make_plan(slow).tasks] == [
        task.step.deadline * slow.patience for task in make_plan(article_lab).tasks
    ]
