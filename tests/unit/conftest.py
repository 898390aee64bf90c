"""The guard that keeps unit tests away from the host, and labs that the tests of several rooms start from."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.guard import Guard, guarded

from labctl.config import Overrides
from labctl.model.lab import Lab
from labctl.providers.load import load_lab

MakeLab = Callable[..., Lab]

# A busy machine is no fault of the product: no property test asserts speed.
settings.register_profile("labctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("labctl")


MARKS = ("real_program", "host_file", "network")
# What a test, and the programs that it starts, see of the caller's environment.
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "CNI_PATH", "PYTHONPATH", "TMPDIR", "PYTEST_XDIST_WORKER")


@pytest.fixture(autouse=True)
def host_is_out_of_reach(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Refuse what reaches for the real host, and fail the test that tried. A test says what it needs all the same:

    ``@pytest.mark.real_program("bash")``: it starts this program. ``@pytest.mark.host_file("/proc")``: it reads this.
    ``@pytest.mark.network("192.0.2.0/24")``: it makes this network, in a network namespace of its own.
    """
    folder = tmp_path_factory.mktemp("home")
    marks = {name: [word for mark in request.node.iter_markers(name) for word in mark.args] for name in MARKS}
    guard = Guard(*(tuple(marks[name]) for name in MARKS), log=folder / "refused")
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(ENVIRONMENT):
            patch.delenv(name)
        for name, value in {"HOME": str(folder), "LANG": "C.UTF-8", **guard.environment()}.items():
            patch.setenv(name, value)
        # Ctrl-C counts, also where the tests themselves were started with it ignored (nohup, a background job).
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with guarded(guard):
            yield
    assert not guard.all_refused(), "reached for the real host: " + "; ".join(sorted(guard.all_refused()))


@pytest.fixture(scope="session")
def make_lab(tmp_path_factory: pytest.TempPathFactory) -> MakeLab:
    """Makes a lab from the text of a labctl.yaml; without one it is the article's lab, on LXC."""

    def make(text: str = "", *, workers: int | None = None) -> Lab:
        folder = tmp_path_factory.mktemp("config")
        (folder / "labctl.yaml").write_text(text)
        chosen = "lxc" if "provider:" not in text else None
        return load_lab(folder, overrides=Overrides(provider=chosen, workers=workers))

    return make


@pytest.fixture(scope="session")
def article_lab(make_lab: MakeLab) -> Lab:
    """The lab of the article: ingress, controlplane, worker1, worker2."""
    return make_lab()


@pytest.fixture(scope="session")
def templates() -> Path:
    """The checkout's top level, where Vagrantfile.j2 and scripts/ are."""
    return Path(__file__).resolve().parents[2]
