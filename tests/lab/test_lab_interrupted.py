"""Ctrl-C answers at once and leaves the lab whole."""

from __future__ import annotations

import signal
import subprocess

import pytest
from support.lab_under_test import LabUnderTest, wait_until

ANSWERS_WITHIN = 30
"""Seconds, on a machine that has much else to do; it is a fraction of one."""


def interrupted(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C; what it said on standard error."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=ANSWERS_WITHIN)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    return errors


def test_a_verify_that_waits(lab: LabUnderTest) -> None:
    before = lab.own / "last" / "verify.json"
    lab.birdc("ingress", "disable", "worker1")
    try:
        last = before.stat().st_mtime_ns
        waiting = lab.start("verify", "--wait", "300")
        wait_until("it has looked once", lambda: before.stat().st_mtime_ns, lambda now: now != last)
        interrupted(waiting)
    finally:
        lab.birdc("ingress", "enable", "worker1")
    lab.repaired()


@pytest.mark.parametrize(("stop", "sign"), [("refused", "labctl calicoctl node status"), ("scale-up", "scaled")])
def test_a_tour_at_a_stop_that_changes_the_lab(lab: LabUnderTest, stop: str, sign: str) -> None:
    tour = lab.start("tour", "--auto", "--from", stop)
    assert tour.stdout is not None
    for line in tour.stdout:
        if sign in line:
            break
    assert f"labctl tour --from {stop}" in interrupted(tour)
    lab.repaired()
    assert lab.objects("deployment", "app")[0]["spec"]["replicas"] == lab.model.app.replicas
