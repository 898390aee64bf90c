"""`labctl destroy` takes away everything that `labctl up` made: the host is compared with what it was before."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
from support.host_state import differences, left_behind, look_at_host
from support.lab_under_test import LabUnderTest


def test_destroy_leaves_the_host_as_it_was_whatever_was_done_to_containers(
    lab: LabUnderTest, host_before: dict[str, list[str]]
) -> None:
    assert differences(host_before, look_at_host()), "the comparison sees a lab that is up"
    lose_configuration("labctl-labtest-worker1")
    kill_monitor("labctl-labtest-worker2")
    lab.destroy()
    assert left_behind(host_before) == []
    assert not lab.own.exists()


def test_nothing_is_left_to_talk_to_and_destroying_it_again_is_no_error(lab: LabUnderTest) -> None:
    assert "labctl up" in lab.labctl("ssh", "ingress", status=3).stderr
    lab.destroy()


def lose_configuration(container: str) -> None:
    """Delete a running container's configuration: LXC knows no such container any more, and it runs on."""
    Path("/var/lib/lxc", container, "config").unlink()


def kill_monitor(container: str) -> None:
    """Kill LXC's process that watches a running container: it counts as stopped, and it runs on."""
    monitors = [process for process in psutil.process_iter(["cmdline"]) if is_monitor(process, container)]
    assert len(monitors) == 1
    monitors[0].send_signal(signal.SIGKILL)
    monitors[0].wait(10)


def is_monitor(process: psutil.Process, container: str) -> bool:
    return " ".join(process.info["cmdline"] or []).strip() == f"[lxc monitor] /var/lib/lxc {container}"
