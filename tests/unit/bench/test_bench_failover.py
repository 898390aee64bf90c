"""What a stream of requests lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.bench.failover import CASES, RATE, TIMERS, Answer, CaseResult, Outage, figures, outage
from labctl.bench.figures import Conditions, as_markdown
from labctl.config import parse
from labctl.config.build import build
from labctl.model.lab import Provider

STEP = 1 / RATE


def stream(goods: list[bool]) -> list[Answer]:
    return [Answer(number * STEP, good) for number, good in enumerate(goods)]


@given(st.integers(1, 200))
def test_where_nothing_is_lost_nobody_was_away(count: int) -> None:
    assert outage(stream([True] * count)) == Outage(0.0, 0, count)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
def test_a_hole_is_as_long_as_its_requests(before: int, hole: int, after: int) -> None:
    found = outage(stream([True] * before + [False] * hole + [True] * after))
    assert (found.lost, found.sent) == (hole, before + hole + after)
    assert found.away == pytest.approx(hole * STEP)


@given(st.lists(st.booleans(), min_size=1, max_size=100))
def test_away_is_never_longer_than_the_stream_and_lost_are_counted(goods: list[bool]) -> None:
    found = outage(stream(goods))
    assert 0 <= found.away <= len(goods) * STEP
    assert found.lost == goods.count(False)


def test_no_request_at_all() -> None:
    assert outage([]) == Outage(0.0, 0, 0)


def test_timers_change_the_timers_and_nothing_else() -> None:
    lab = build(parse(b"ingress: {count: 2}\n"), Provider.LXC)
    plain, short, bfd = (timers.of(lab) for timers in TIMERS)
    assert plain == lab
    assert (short.bgp.hold_time, bfd.bgp.bfd) == (3, True)
    assert short.machines == bfd.machines == lab.machines


def test_the_table_has_a_row_per_case_and_a_column_per_kind_of_timers() -> None:
    found = [CaseResult(case, timers, Outage(1.5, 30, 300)) for case in CASES for timers in TIMERS]

    class Then:
        def conditions(self) -> Conditions:
            return Conditions("labctl bench failover", "2026-01-01 12:00", "a machine", "0.1", 0.1, 0.2)

    format_spread = figures(Then(), found, CASES, TIMERS)
    assert [len(row) for row in format_spread.tables[0].rows] == [1 + len(TIMERS)] * len(CASES)
    assert "| a worker dies | 1.50 s, 30.0 lost | 1.50 s, 30.0 lost | 1.50 s, 30.0 lost |" in as_markdown(format_spread)
    assert len(format_spread.data["measured"]) == len(CASES) * len(TIMERS)
