"""Fixtures of the controller's tests: the fake API, pods on loopback, and the real controller with a real HAProxy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_api import FakeApi, free_port
from support.running_controller import Pod, RunningController, running_controller


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture
def pods() -> Iterator[list[Pod]]:
    port = free_port()
    found = [Pod(f"127.0.1.{number}", port) for number in range(1, 9)]
    yield found
    for pod in found:
        pod.stop()


@pytest.fixture
def needs_haproxy() -> str:
    program = shutil.which("haproxy")
    if not program:
        pytest.skip("haproxy is not installed (apt install haproxy)")
    return program


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a Unix socket's (107 characters; HAProxy takes some for a temporary name)."""
    with tempfile.TemporaryDirectory(prefix="labctl-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def controller(needs_haproxy: str, api: FakeApi, short_path: Path) -> Iterator[RunningController]:
    with running_controller(short_path, api.kubeconfig(short_path / "kubeconfig")) as running:
        yield running


@pytest.fixture(scope="module")
def module_controller() -> Iterator[tuple[FakeApi, list[Pod], RunningController]]:
    """A controller with an API and pods of its own for all tests of a module."""
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed (apt install haproxy)")
    api, port = FakeApi(), free_port()
    pods = [Pod(f"127.0.2.{number}", port) for number in range(1, 9)]
    with tempfile.TemporaryDirectory(prefix="labctl-", dir="/tmp") as folder:
        kubeconfig = api.kubeconfig(Path(folder) / "kubeconfig")
        with running_controller(Path(folder), kubeconfig) as running:
            yield api, pods, running
    for pod in pods:
        pod.stop()
    api.close()
