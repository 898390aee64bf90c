from __future__ import annotations

import pytest

from labctl.checks.facts import Facts
from labctl.model.lab import Lab


@pytest.fixture
def lab() -> Lab:
    from support.made_facts import make_lab

    return make_lab()


@pytest.fixture
def healthy(lab: Lab) -> Facts:
    from support.made_facts import make_facts

    return make_facts(lab)
