"""The labs of these tests: real ones, brought up by the command line, and destroyed at the end whatever happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.host_state import look_at_host
from support.lab_under_test import LabUnderTest

from labctl.config import parse
from labctl.config.build import build
from labctl.host.host import Host as HostView
from labctl.model.lab import Provider
from labctl.providers.lxc import probes as lxc
from labctl.providers.probe import Status

# They stand beside a user's own lab, so their names, subnet and Services' network are their own.
CONFIG = """\
provider: lxc
source: debian
network:
  subnet: 192.168.77.0/24
  service_cidr: 10.77.0.0/16
"""
NAMES = (
    "labtest",
    "labtest-partly",
    "labtest-vagrant",
    "labtest-designs",
    "labtest-ha",
    "labtest-kill",
    "labtest-damage",
    "labtest-damage-2",
    "labtest-upstream",
)
# The first files share one lab; then it is destroyed, and the last ones make labs of their own, one after the other.
SHARED = ("up", "cluster", "bgp", "traffic", "rights", "secrets", "verify", "faults", "again", "changed", "destroy")
ORDER = (*SHARED, "partly", "killed", "damaged", "plain_vagrant", "designs", "ha", "class", "upstream")

# What takes longer: `make lab-more` runs these, too.
MORE = ("bench", "damaged")
WITH_MORE = "LABCTL_LAB_MORE"

Host = dict[str, list[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, put them in order, and skip them where no lab can be."""
    mine = [item for item in items if item.path.parent == Path(__file__).parent]
    mine.sort(key=place)
    why = why_no_lab()
    more = bool(os.environ.get(WITH_MORE))
    for item in mine:
        item.add_marker(pytest.mark.lab)
        if why:
            item.add_marker(pytest.mark.skip(reason=why))
        elif topic(item) in MORE and not more:
            item.add_marker(pytest.mark.skip(reason="make lab-more runs it"))
    items[:] = [item for item in items if item not in mine] + mine


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Make room for a lab of a test's own: where only some files are run, the shared one may still be up."""
    if topic(item) in ORDER[len(SHARED) :] and not item.get_closest_marker("skip"):
        shared = LabUnderTest("labtest", CONFIG)
        if shared.own.exists():
            shared.destroy()


def place(item: pytest.Item) -> int:
    """When the tests of a file have their turn; of a file that is not in the order: while the first lab is up."""
    return ORDER.index(topic(item) if topic(item) in ORDER else "verify")


def topic(item: pytest.Item) -> str:
    """What the tests of an item's file are about, as its name tells."""
    return item.path.stem.removeprefix("test_lab_")


def why_no_lab() -> str:
    """Why a lab cannot be brought up here; nothing if it can."""
    if not sys.platform.startswith("linux"):
        return "a lab of LXC machines needs Linux"
    if os.geteuid() != 0:
        return "a lab of LXC machines needs root: sudo make lab"
    wanted = build(parse(CONFIG.encode()), Provider.LXC)
    found = [(probe.title, probe.look(wanted, HostView())) for probe in lxc.PROBES]
    wrong = [(title, one) for title, one in found if one is not None and one.status is Status.FAIL]
    return "; ".join(f"{title}: {one.found}; {one.remedy}" for title, one in wrong)


@pytest.fixture(scope="session")
def host_before() -> Host:
    """What the host was like before any lab; what an aborted run left is removed first."""
    for name in NAMES:
        LabUnderTest(name, CONFIG).destroy()
    class_down(LabUnderTest("labtest-class", CONFIG))
    return look_at_host()


@pytest.fixture(scope="session")
def lab(host_before: Host) -> Iterator[LabUnderTest]:
    """The lab that most tests share: up and verified. Whoever changes it puts it right again."""
    lab = LabUnderTest("labtest", CONFIG)
    try:
        lab.first_events = lab.up()
        yield lab
    finally:
        lab.destroy()


@pytest.fixture
def new_lab(host_before: Host) -> Iterator[Callable[..., LabUnderTest]]:
    """Makes a lab's directory for one test; nothing is brought up yet, all is destroyed afterwards."""
    made: list[LabUnderTest] = []

    def make(name: str, more: str = "") -> LabUnderTest:
        made.append(LabUnderTest(name, CONFIG + more))
        return made[-1]

    yield make
    for lab in made:
        lab.destroy()


@pytest.fixture
def new_class(host_before: Host) -> Iterator[Callable[[str, str], LabUnderTest]]:
    """Makes a class's directory; its seats are removed afterwards."""
    made: list[LabUnderTest] = []

    def make(name: str, config: str) -> LabUnderTest:
        made.append(LabUnderTest(name, config))
        return made[-1]

    yield make
    for room in made:
        class_down(room)


def class_down(room: LabUnderTest) -> None:
    """Remove the seats that are there; exit status 3 says that there are none."""
    assert room.labctl("class", "down", "--yes", status=None, seconds=180).status in (0, 3)
