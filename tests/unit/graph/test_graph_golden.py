"""Whole pictures, compared with files in golden/. To write them anew: LABCTL_GOLDEN=write pytest tests/unit/graph."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.golden import same_as_golden
from support.made_facts import make_facts, make_lab

from labctl.graph.diagrams import as_dot, as_mermaid, as_text
from labctl.graph.live import picture_of_facts
from labctl.graph.picture import picture_of_model
from labctl.graph.svg import as_svg

GOLDEN = Path(__file__).parent / "golden"
DRAW = {"svg": as_svg, "mermaid": as_mermaid, "dot": as_dot, "txt": as_text}


def pictures():
    two = make_lab()
    return {
        "two": picture_of_model(two),
        "two-live": picture_of_facts(two, make_facts(two)),
        "sixteen": picture_of_model(make_lab(16)),
        "router": picture_of_model(make_lab(more="router: true\ningress: {count: 2}\n")),
        "shared": picture_of_model(make_lab(more="ingress: {count: 2}\n")),
    }


@pytest.mark.parametrize("form", DRAW)
@pytest.mark.parametrize("name", ["two", "two-live", "sixteen", "router", "shared"])
def test_whole_picture(name, form):
    same_as_golden(DRAW[form](pictures()[name]), GOLDEN / f"{name}.{form}")


def test_the_readmes_picture_is_of_the_default_lab():
    readme = Path(__file__).parents[3] / "docs" / "lab.svg"
    assert readme.read_text() == as_svg(picture_of_model(make_lab()))
