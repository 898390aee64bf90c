"""A snapshot is saved, the lab is damaged in every way that labctl promises to undo, and restored to a verified lab."""

from __future__ import annotations

import json
import shutil
import subprocess

from support.lab_under_test import LabUnderTest

SECONDS = 600.0


def test_the_lab_is_back(lab: LabUnderTest) -> None:
    lab.labctl("snapshot", "save", "tested", seconds=SECONDS)
    try:
        assert lab.verify()["ok"]  # at once: what was stopped for the snapshot is ready again
        comes_back(lab)
    finally:  # the tests that follow use the same lab
        lab.labctl("snapshot", "restore", "tested", status=None, seconds=SECONDS)
        lab.labctl("snapshot", "delete", "tested", status=None)


def comes_back(lab: LabUnderTest) -> None:
    with_faults(lab)
    restored(lab)
    assert "nothing to repair" in lab.labctl("repair").stderr
    with_other_machines(lab)
    restored(lab)
    shutil.rmtree(lab.own)
    restored(lab)
    found = json.loads(lab.labctl("status", "--output", "json").stdout)["snapshots"]
    assert [(one["name"], one["machines"]) for one in found] == [
        ("tested", sorted(machine.name for machine in lab.model.machines))
    ]
    lab.labctl("snapshot", "delete", "tested")
    assert lab.labctl("snapshot", "restore", "tested", status=3).stderr.startswith("error: there is no snapshot tested")


def with_faults(lab: LabUnderTest) -> None:
    """Faults of three kinds; the cluster's files and database are gone, and so are a program and a configuration."""
    lab.labctl("break", "tmp-full")
    lab.labctl("break", "bgppeer-deleted")
    lab.labctl("break", "worker-halted")
    lab.on("controlplane", "rm -rf /etc/kubernetes /var/lib/etcd/*")
    lab.on("ingress", "systemctl disable --now bird; rm -rf /etc/bird /usr/sbin/haproxy")


def with_other_machines(lab: LabUnderTest) -> None:
    """A container is gone with its disk, the host's bridge too, and labctl.yaml wants another number of workers."""
    container = f"labctl-{lab.model.name}-worker1"
    subprocess.run(["lxc-destroy", "--force", "--name", container], check=True)
    subprocess.run(["ip", "link", "delete", lab.model.bridge], check=True)
    lab.up("--workers", "1", status=None)


def restored(lab: LabUnderTest) -> None:
    lab.labctl("snapshot", "restore", "tested", seconds=SECONDS)
    report = lab.verify()
    assert report["ok"]
