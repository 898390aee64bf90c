from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from labctl.checks.facts import Facts
from labctl.model.lab import Lab


@pytest.fixture
def lab() -> Lab:
    from made_facts import make_lab

    return make_lab()


@pytest.fixture
def healthy(lab: Lab) -> Facts:
    from made_facts import make_facts

    return make_facts(lab)
