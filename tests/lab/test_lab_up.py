"""The first `labctl up`: what it tells, and that it does things in the order of the plan."""

from __future__ import annotations

from support.lab_under_test import LabUnderTest

from labctl.steps.plan import make_plan


def test_every_event_has_the_promised_fields(lab: LabUnderTest) -> None:
    *steps, end = lab.first_events
    for event in steps:
        assert set(event) == {"event", "machine", "step", "state", "seconds"}, event
        assert event["event"] == "step"
        assert event["state"] in {"running", "done", "skipped", "failed"}
        assert isinstance(event["seconds"], int | float)
    assert set(end) == {"event", "ok", "seconds"}
    assert end["event"] == "end"
    assert end["ok"] is True


def test_each_step_of_the_plan_ran_once_and_was_done(lab: LabUnderTest) -> None:
    planned = {(task.machine.name, task.step.name) for task in make_plan(lab.model).tasks}
    for state in ("running", "done"):
        seen = [(event["machine"], event["step"]) for event in lab.first_events[:-1] if event["state"] == state]
        assert sorted(seen) == sorted(planned)


def test_no_step_began_before_what_it_needs_was_done(lab: LabUnderTest) -> None:
    at = {(event["machine"], event["step"], event["state"]): place for place, event in enumerate(lab.first_events[:-1])}
    for task in make_plan(lab.model).tasks:
        for need in task.needs:
            assert at[need.machine, need.step, "done"] < at[task.machine.name, task.step.name, "running"]


def test_machines_work_side_by_side(lab: LabUnderTest) -> None:
    first_end = next(place for place, event in enumerate(lab.first_events) if event["state"] == "done")
    assert {event["machine"] for event in lab.first_events[:first_end]} == {one.name for one in lab.model.machines}


def test_secrets_are_for_their_owner_only(lab: LabUnderTest) -> None:
    secrets = lab.own / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    open_files = [path for path in secrets.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert not open_files


def test_what_the_steps_printed_is_kept(lab: LabUnderTest) -> None:
    assert "initialized successfully" in lab.labctl("logs", "controlplane", "control-plane").stdout
