"""A lab that is brought up in parts, interrupted, continued, and destroyed half-way."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import IO

from support.host_state import differences, left_behind, look_at_host
from support.lab_under_test import LabUnderTest

from labctl.config import Overrides
from labctl.engine.claim import claim
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory

NO_INIT = '#!/bin/sh\\n[ "$1" != init ] || { sleep 10; exit 9; }; exec kubeadm.real "$@"\\n'


def test_until_a_step_then_interrupted_then_destroyed(
    new_lab: Callable[..., LabUnderTest], host_before: dict[str, list[str]]
) -> None:
    lab = new_lab("labtest-partly", "workers: 1\n")
    names = {"ingress", "controlplane", "worker1"}

    events = lab.up("--until", "machines")
    assert {(event["machine"], event["step"]) for event in events[:-1]} == {(name, "machines") for name in names}
    assert lab.on("worker1", "systemctl is-active containerd", status=None).strip() != "active"

    events = lab.up("--until", "base")
    states = {(event["step"], event["state"]) for event in events[:-1]}
    assert states == {("machines", "running"), ("machines", "skipped"), ("base", "running"), ("base", "done")}
    assert "worker1" in lab.on("ingress", "getent hosts worker1")

    interrupt(lab, signal.SIGINT)
    assert "base" in lab.labctl("up", "--until", "base").stderr  # goes on
    interrupt(lab, signal.SIGTERM)
    without_a_control_plane(lab)
    lab.destroy()
    assert left_behind(host_before) == []


def test_a_lab_that_came_no_further_than_its_claim_leaves_nothing(
    new_lab: Callable[..., LabUnderTest], host_before: dict[str, list[str]]
) -> None:
    lab = new_lab("labtest-partly", "workers: 1\n")
    claim(lab.model, LabDirectory(lab.folder), Overrides(provider="lxc", source="debian"), Host())
    assert differences(host_before, look_at_host()), "the note of the claim is seen"
    lab.destroy()
    assert left_behind(host_before) == []


def without_a_control_plane(lab: LabUnderTest) -> None:
    """The worker waits for an API that never comes: `up` does not wait for it, nor says that it failed."""
    lab.up("--until", "runtime", "--until", "kubernetes")  # the worker begins to join at once
    lab.on("controlplane", "mv /usr/bin/kubeadm /usr/bin/kubeadm.real")
    lab.on("controlplane", f"printf '{NO_INIT}' >/usr/bin/kubeadm; chmod 755 /usr/bin/kubeadm")
    said = lab.labctl("up", status=1).stderr
    assert "step control-plane failed on controlplane: exit status 9" in said
    assert "did not run because of it; `labctl up` continues from here" in said
    assert "step join failed" not in said
    assert "a step that it waits for has failed" in lab.labctl("logs", "worker1", "join").stdout


def interrupt(lab: LabUnderTest, number: signal.Signals) -> None:
    """Start `up`, interrupt it in the middle of a step, and see that it ends at once and leaves nothing at work."""
    up = lab.start("up", "--output", "json")
    assert up.stdout is not None
    read_until_a_step_runs(up.stdout)
    up.send_signal(number)
    _, errors = up.communicate(timeout=60)
    assert up.returncode == 130, errors
    assert "Traceback" not in errors
    assert not (lab.own / "lock.json").exists()


def read_until_a_step_runs(events: IO[str]) -> None:
    for line in events:
        event = json.loads(line)
        if event["step"] not in ("machines", "base") and event["state"] == "running":
            return
    raise AssertionError("up ended before a step ran")
