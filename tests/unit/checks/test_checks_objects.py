"""What is read of the API's objects."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.facts.cluster import read_pod

READY = {"name": "flexvol-driver", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        (
            [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "calico/cni"'}}}],
            'Init:ImagePullBackOff: Back-off pulling image "calico/cni"',
        ),
        ([READY, {"state": {"waiting": {"reason": "PodInitializing"}}}], "Init:1/2"),
        ([READY, {"state": {"running": {"startedAt": "2026-11-28T12:00:00Z"}}}], "Init:1/2"),
        ([{"state": {"terminated": {"exitCode": 3}}}], "Init:ExitCode:3"),
        ([{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}], "Init:Error"),
        ([READY, {"state": {"running": {}}, "ready": True, "started": True}], "PodInitializing"),
        ([], "PodInitializing"),
    ],
)  # fmt: skip
def test_what_an_init_container_waits_for_is_said_as_kubectl_says_it(statuses: list[dict[str, Any]], said: str) -> None:
    """The pod's own containers only wait for it: `PodInitializing`."""
    waiting = [{"state": {"waiting": {"reason": "PodInitializing"}}}]
    status = {"phase": "Pending", "initContainerStatuses": statuses, "containerStatuses": waiting}
    pod = read_pod({"metadata": {"name": "calico-node-x", "namespace": "calico-system"}, "status": status})
    assert pod.reason == said
