"""Medians, spreads, ratios and percentiles."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.bench.figures import Spread, format_number, format_spread, percentile, ratios, spread

VALUES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50)


@given(VALUES)
def test_a_spread_holds_its_values(values: list[float]) -> None:
    found = spread(values)
    assert found.low <= found.median <= found.high
    assert all(found.low <= value <= found.high for value in values)
    assert (found.median, found.count) == (statistics.median(values), len(values))


@given(VALUES, st.floats(0.01, 100))
def test_ratios_of_values_that_are_all_so_many_times_the_others_are_that(values: list[float], factor: float) -> None:
    found = ratios([value * factor for value in values], values)
    assert found.low == pytest.approx(factor)
    assert found.high == pytest.approx(factor)


def test_ratios_are_made_of_pairs_and_not_of_medians() -> None:
    assert ratios([2, 30, 4], [1, 10, 4]) == Spread(2, 1, 3, 3)


def test_nothing_has_no_spread_no_ratio_and_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)
    with pytest.raises(ValueError, match="cannot divide by 0"):
        ratios([1], [0])
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


@given(VALUES, st.floats(0, 100))
def test_a_percentile_is_a_value_that_enough_do_not_exceed(values: list[float], percent: float) -> None:
    found = percentile(values, percent)
    below = sum(value <= found for value in values) / len(values) * 100
    less = sum(value < found for value in values) / len(values) * 100
    assert found in values
    assert below >= percent - 1e-9
    assert less < percent or found == min(values)


def test_percentiles_of_a_hundred_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (0, 50, 90, 99, 99.5, 100)] == [1, 50, 90, 99, 100, 100]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.04567, "0.0457"), (0.5, "0.5"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1234.6, "1 235")],
)
def test_numbers_have_three_digits_or_more_where_they_are_large(value: float, text: str) -> None:
    assert format_number(value) == text


def test_a_spread_is_shown_with_its_ends_if_there_was_more_than_one_value() -> None:
    assert format_spread(Spread(1.5, 1, 2, 3), "s") == "1.50 s (1.00-2.00)"
    assert format_spread(Spread(1.5, 1.5, 1.5, 1)) == "1.50"
