"""How long verify waits: as on a quiet host, unless this one is busy or the machines are emulated."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_facts import make_lab

from labctl.checks import patience as module
from labctl.checks.catalogue import probes_for
from labctl.checks.patience import patience, strain


def host(monkeypatch: pytest.MonkeyPatch, *, last_minute: float = 0.0, now: float = 0.0, processors: int = 2) -> None:
    monkeypatch.setattr(module, "_last_minute", lambda: last_minute)
    monkeypatch.setattr(module, "_now", lambda: now)
    monkeypatch.setattr(module, "_processors", lambda: processors)


@pytest.mark.parametrize(
    ("last_minute", "now", "found"),
    [(0, 0, 1), (8, 1, 1), (16, 1, 2), (2, 20, 2.5), (500, 0, 4)],
)
def test_a_busy_host_is_given_more_time(
    monkeypatch: pytest.MonkeyPatch, last_minute: float, now: float, found: float
) -> None:
    host(monkeypatch, last_minute=last_minute, now=now)
    assert strain() == found
    assert patience(replace(make_lab(), emulated=True)) == 8 * found


@given(at_work=st.floats(0, 1e6), processors=st.integers(1, 256))
def test_strain_is_never_below_one_nor_without_end(at_work: float, processors: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        host(monkeypatch, last_minute=at_work, processors=processors)
        assert 1 <= strain() <= 4


def test_many_machines_on_few_processors_are_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch)
    assert [patience(make_lab(workers)) for workers in (1, 2, 6, 16)] == [1, 1, 1, 2.25]
    host(monkeypatch, processors=16)
    assert patience(make_lab(16)) == 1


def test_this_host_can_be_asked() -> None:
    assert module._now() >= 1
    assert module._last_minute() >= 0


def test_what_goes_over_the_network_waits_longer_with_more_patience() -> None:
    lab = make_lab()

    def commands(patience_: float) -> dict[str, str]:
        return {probe.name: probe.command for probe in probes_for(lab, lab.ingress, patience_)}

    usual, longer = commands(1.0), commands(2.5)
    assert "--connect-timeout 1 --max-time 1.2 " in usual["healthz"]
    assert "--connect-timeout 2.5 --max-time 3 " in longer["healthz"]
    assert {name for name in usual if usual[name] != longer[name]} == {"controller-access", "healthz"}
