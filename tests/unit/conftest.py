"""Labs that the tests of several rooms start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from labctl.config import Overrides
from labctl.model.lab import Lab, Provider
from labctl.providers.load import load_lab

MakeLab = Callable[..., Lab]

# A busy machine is no fault of the product: no property test asserts speed.
settings.register_profile("labctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("labctl")


@pytest.fixture(scope="session")
def make_lab(tmp_path_factory: pytest.TempPathFactory) -> MakeLab:
    """Makes a lab from the text of a labctl.yaml; without one it is the article's lab, on LXC."""

    def make(text: str = "", *, workers: int | None = None) -> Lab:
        folder = tmp_path_factory.mktemp("config")
        (folder / "labctl.yaml").write_text(text)
        return load_lab(folder, overrides=Overrides(workers=workers), choose=lambda: Provider.LXC)

    return make


@pytest.fixture(scope="session")
def article_lab(make_lab: MakeLab) -> Lab:
    """The lab of the article: ingress, controlplane, worker1, worker2."""
    return make_lab()


@pytest.fixture(scope="session")
def templates() -> Path:
    """The checkout's top level, where Vagrantfile.j2 and scripts/ are."""
    return Path(__file__).resolve().parents[2]
