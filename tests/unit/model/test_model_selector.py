"""Calico's selectors."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.model.selector import SelectorError, matches

LABELS = {"kubernetes.io/hostname": "worker1", "zone": "a"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("all()", True),
        ("kubernetes.io/hostname == 'worker1'", True),
        ('kubernetes.io/hostname=="worker2"', False),
        ("zone != 'a'", False),
        ("missing != 'a'", True),
        ("has(zone) && !has(rack)", True),
        ("has(rack) || zone in {'a', 'b'}", True),
        ("zone not in {'a'}", False),
        ("!(zone == 'a' && has(rack))", True),
        ("zone == 'b' || zone == 'a' && has(zone)", True),
    ],
)
def test_selectors(selector: str, expected: bool) -> None:
    assert matches(selector, LABELS) is expected


@pytest.mark.parametrize(
    "selector", ["zone", "zone ==", "zone == a", "all(", "zone in {}", "(all()", "all() x", "§", "!" * 999]
)
def test_not_understood(selector: str) -> None:
    with pytest.raises(SelectorError):
        matches(selector, LABELS)


@given(
    st.text()
    | st.lists(st.sampled_from(["all()", "has(", ")", "(", "!", "&&", "||", "a", "'b'", "==", "in", "{", "}"])).map(
        " ".join
    )
)
def test_garbage_is_refused_by_one_error_only(selector: str) -> None:
    with suppress(SelectorError):
        matches(selector, LABELS)
