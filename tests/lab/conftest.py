"""The lab that these tests use: a real one, brought up once, by the command line, and destroyed at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from host import look_at_host
from lab import LabUnderTest

from labctl.host.requirements import lacks

# It stands beside a user's own lab, so name, subnet and Services' network are its own.
CONFIG = """\
name: {name}
provider: lxc
source: debian
network:
  subnet: 192.168.77.0/24
  service_cidr: 10.77.0.0/16
"""
# Other files first use the lab of the first, then remove it, then make labs of their own.
ORDER = (
    "test_up", "test_cluster", "test_bgp", "test_traffic", "test_rights", "test_verify", "test_again", "test_destroy",
    "test_partly", "test_plain_vagrant",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here as tests on a lab, put them in order, and skip them where no lab can be."""
    mine = [item for item in items if item.path.parent == Path(__file__).parent]
    why = _why_not()
    for item in mine:
        item.add_marker(pytest.mark.lab)
        if why:
            item.add_marker(pytest.mark.skip(reason=why))
    items.sort(key=lambda item: ORDER.index(item.path.stem) if item in mine else -1)


def _why_not() -> str:
    if not sys.platform.startswith("linux"):
        return "a lab of LXC machines needs Linux"
    if os.geteuid() != 0:
        return "a lab of LXC machines needs root: sudo make lab"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("/")
        from labctl.config import Overrides, load

        found = lacks(load(Path("/nonexistent"), overrides=Overrides("lxc", "debian", None)))
    if found:
        return "this host lacks " + ", ".join(f"{lack.what} ({lack.remedy})" for lack in found)
    return ""
