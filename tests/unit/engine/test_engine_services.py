"""What writes to databases is stopped and started in an order that etcd, containerd and kubelets survive.

systemctl, pkill and pgrep are STAND-INS that note how they were called.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from labctl.engine.services import START_SERVICES, STOP_SERVICES

pytestmark = pytest.mark.real_program("sh")

ACTIVE = 'case "$*" in *is-active*) grep -qx "$3" active; exit ;; esac\n'
PROGRAMS = {"systemctl": ACTIVE + 'echo "systemctl $*" >>calls', "pkill": 'echo "pkill $*" >>calls', "pgrep": "exit 1"}


def calls_of(folder: Path, script: str, *active: str) -> list[str]:
    """What a script runs on a machine on which these units are active."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    (folder / "active").write_text("".join(f"{unit}\n" for unit in active))
    (folder / "calls").write_text("")
    here = script.replace("/run", str(folder))
    done = subprocess.run(
        ["sh"], input=here, text=True, capture_output=True, cwd=folder, timeout=30, check=False,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return (folder / "calls").read_text().splitlines()


def test_etcd_that_is_a_unit_stops_after_the_kubelet_and_the_api_server_runs_on(tmp_path: Path) -> None:
    assert calls_of(tmp_path, STOP_SERVICES, "containerd", "etcd", "kubelet") == [
        "systemctl stop kubelet", "systemctl --no-block stop etcd", "systemctl stop containerd",
    ]  # fmt: skip
    assert calls_of(tmp_path, START_SERVICES) == [
        "systemctl start containerd", "systemctl start etcd", "systemctl start kubelet",
    ]  # fmt: skip
    assert calls_of(tmp_path, START_SERVICES) == []


def test_etcd_that_is_a_static_pod_stops_after_the_api_server(tmp_path: Path) -> None:
    assert calls_of(tmp_path, STOP_SERVICES, "containerd", "kubelet") == [
        "systemctl stop kubelet", "pkill -KILL -x kube-apiserver", "pkill -TERM -x etcd", "systemctl stop containerd",
    ]  # fmt: skip
    assert calls_of(tmp_path, START_SERVICES) == ["systemctl start containerd", "systemctl start kubelet"]


def test_a_machine_without_kubernetes_is_left_alone(tmp_path: Path) -> None:
    assert calls_of(tmp_path, STOP_SERVICES) == []
    assert calls_of(tmp_path, START_SERVICES) == []
