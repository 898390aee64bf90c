"""The line on a terminal while verify is at work."""

from __future__ import annotations

from support.broken_labs import etcd_down

from labctl.checks.facts import Facts
from labctl.checks.verify import judge_facts
from labctl.cli.progress import LiveVerify
from labctl.model.lab import Lab


def test_it_says_who_has_not_answered_and_what_was_broken_before(lab: Lab, healthy: Facts) -> None:
    said: list[str] = []
    live = LiveVerify(lab, said.append)
    for name in ("worker1", "ingress", "controlplane", "worker2"):
        live.answered(name)
    live.reported(judge_facts(lab, etcd_down(healthy)))
    live.answered("ingress")
    live.reported(judge_facts(lab, healthy))
    live.answered("ingress")
    assert said == [
        "1 of 4 machines have answered, waiting for ingress, controlplane, worker2",
        "2 of 4 machines have answered, waiting for controlplane, worker2",
        "3 of 4 machines have answered, waiting for worker2",
        "all machines have answered; waiting for requests, reading logs",
        "cluster.etcd: etcd.service on controlplane is failed (failed), result oom-kill | "
        "1 of 4 machines have answered, waiting for controlplane, worker1, worker2",
        "1 of 4 machines have answered, waiting for controlplane, worker1, worker2",
    ]
