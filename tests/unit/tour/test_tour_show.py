"""Folding, highlighting, and the lines in the terminal."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from labctl.tour.runner import Claim, ShownCommand, Stop, Visit
from labctl.tour.show import (
    claim_line,
    command_output,
    heading,
    highlighted_spans,
    listing,
    shorten,
    stop_line,
    summary,
)

STOP = Stop("kernel", "The kernel's table follows", "HAProxy knows nothing of BGP.", lambda runner: None)


def printed(what) -> str:
    console = Console(width=60, record=True, file=open("/dev/null", "w"), highlight=False)  # noqa: SIM115, PTH123
    console.print(what)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def test_long_output_is_folded_around_what_matters():
    text = "\n".join(f"line {number}" for number in range(40))
    assert shorten(text, [r"line 20$", r"line 24$", r"line 39$"]) == (
        *("⋮ 19 lines", "line 19", "line 20", "line 21", "line 22", "line 23", "line 24", "line 25"),
        *("⋮ 12 lines", "line 38", "line 39"),
    )
    assert shorten(text, ["nothing"])[-2:] == ("line 20", "⋮ 19 lines")
    assert shorten("a\nb", ["a"]) == ("a", "b")


@given(st.lists(st.sampled_from(["x", "mark", "", "y z"]), max_size=80))
def test_folding_keeps_every_mark_and_counts_every_line(lines):
    folded = shorten("\n".join(lines), ["mark"])
    assert folded.count("mark") == lines.count("mark")
    hidden = sum(int(re.findall(r"\d+", line)[0]) for line in folded if line.startswith("⋮"))
    shown = sum(1 for line in folded if not line.startswith("⋮"))
    assert hidden + shown == len("\n".join(lines).splitlines())


def test_marks_that_touch_are_one():
    assert highlighted_spans("abcdef", ["bc", "cd", "f", "z*"]) == ((1, 4), (5, 6))


def test_in_the_terminal():
    visit = Visit(STOP, 8)
    assert printed(heading(visit, 17)).splitlines()[1:] == [
        "8/17 The kernel's table follows  kernel",
        "HAProxy knows nothing of BGP.",
    ]
    command = ShownCommand("ip route", "a\x1b[31m route\nb", ("route",), 0.1)
    assert printed(command_output(command)) == "  a?[31m route\n  b\n"
    assert printed(claim_line(Claim("it is so", True, "yes"))) == "✓ it is so  yes"
    assert printed(claim_line(Claim("it is so", False, "no"))) == "✗ expected: it is so\n  seen: no"
    visit.claims.append(Claim("it is so", False, "no"))
    assert printed(stop_line(visit)).splitlines() == [
        "✗ kernel  The kernel's table follows",
        "  expected: it is so; seen: no",
    ]
    assert printed(summary([visit])) == "✗ claims do not hold at: kernel"
    assert printed(listing([STOP])) == " 1  kernel  The kernel's table follows"
