"""How long verify waits: as on a quiet host, unless this one is busy or the machines are emulated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_host import FakeHost, fake_host
from support.made_facts import make_lab

from labctl.checks.catalogue import probes_for
from labctl.checks.this_host import patience, strain
from labctl.host.host import Host


def host(*, last_minute: float = 0.0, now: int = 0, processors: int = 2) -> FakeHost:
    return FakeHost(load=last_minute, now=now, cpus=processors)


@pytest.mark.parametrize(
    ("last_minute", "now", "found"),
    [(0, 0, 1), (8, 1, 1), (16, 1, 2), (2, 20, 2.5), (500, 0, 4)],
)
def test_a_busy_host_is_given_more_time(last_minute: float, now: int, found: float) -> None:
    busy = host(last_minute=last_minute, now=now)
    assert strain(busy) == found
    assert patience(make_lab(), busy) == found


@given(at_work=st.floats(0, 1e6), processors=st.integers(1, 256))
def test_strain_is_never_below_one_nor_without_end(at_work: float, processors: int) -> None:
    assert 1 <= strain(host(last_minute=at_work, processors=processors)) <= 4


def test_many_machines_on_few_processors_are_given_more_time() -> None:
    assert [patience(make_lab(workers), host()) for workers in (1, 2, 6, 16)] == [1, 1, 1, 2.25]
    assert patience(make_lab(16), host(processors=16)) == 1


def test_emulated_machines_keep_the_hosts_processors_busy() -> None:
    """The API of Kubernetes 1.36 took 19 s for its objects, on one of three such machines on two processors."""
    lab = replace(make_lab(1), emulated=True)
    assert [patience(lab, host(processors=processors)) for processors in (1, 2, 3)] == [8 * 4, 8 * 2.5, 8 * 2]


def test_how_many_processes_run_is_read_from_the_kernel(tmp_path: Path) -> None:
    assert Host(root=fake_host(tmp_path, {"proc/loadavg": "0.20 0.18 0.12 3/80 11206\n"}).root).runnable() == 3
    assert Host(root=tmp_path).runnable() == 0


def test_what_goes_over_the_network_waits_longer_with_more_patience() -> None:
    lab = make_lab()

    def commands(patience_: float) -> dict[str, str]:
        return {probe.name: probe.command for probe in probes_for(lab, lab.ingress, patience_)}

    usual, longer = commands(1.0), commands(2.5)
    assert "--connect-timeout 1 --max-time 1.2 " in usual["healthz"]
    assert "--connect-timeout 2.5 --max-time 3 " in longer["healthz"]
    assert {name for name in usual if usual[name] != longer[name]} == {"controller-access", "healthz"}
