"""Figures as table, JSON and Markdown, and in a page beside other text."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support.fake_host import fake_host

from labctl.bench.figures import (
    Conditions,
    Figures,
    Recorder,
    Table,
    as_json,
    as_markdown,
    as_text,
    command_line,
    replace_section,
    write_section,
)
from labctl.errors import LabctlError

CONDITIONS = Conditions("labctl bench x", "2026-01-02 03:04", "2 cores", "0.1.0", 0.25, 1.75, 4.2)
FIGURES = Figures(
    name="x",
    title="The x of y",
    conditions=CONDITIONS,
    tables=(Table(("what", "seconds"), (("this", "1"), ("a|b", "2"))),),
    notes=("So it [is].",),
    data={"seconds": 1},
)
MARKDOWN = """\
## The x of y

`labctl bench x`

| what | seconds |
|---|---:|
| this | 1 |
| a\\|b | 2 |

* So it [is].

*2026-01-02 03:04, labctl 0.1.0, on 2 cores. Just before, 4 % of the processors were in use; load average 0.2 before, \
1.8 after.*
"""


def test_markdown() -> None:
    assert as_markdown(FIGURES) == MARKDOWN


def test_json() -> None:
    assert json.loads(as_json(FIGURES)) == {
        "bench": "x",
        "seconds": 1,
        "notes": ["So it [is]."],
        "conditions": {
            "command": "labctl bench x",
            "date": "2026-01-02 03:04",
            "machine": "2 cores",
            "labctl": "0.1.0",
            "load_before": 0.25,
            "load_after": 1.75,
            "used_before": 4.2,
            "busy": False,
        },
    }


def test_a_busy_host_is_told() -> None:
    busy = replace(FIGURES, conditions=replace(CONDITIONS, used_before=31.0))
    assert "Other work kept this host busy" in as_markdown(busy)
    assert "Other work" not in as_markdown(FIGURES)


def test_text() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(as_text(FIGURES))
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines == [
        "The x of y",
        "",
        "what   seconds",
        "──────────────",
        "this         1",
        "a|b          2",
        "",
        "• So it [is].",
        "2026-01-02 03:04, labctl 0.1.0, on 2 cores.",
        "Just before, 4 % of the processors were in use; load average 0.2 before, 1.8",
        "after.",
    ]


@pytest.mark.parametrize(
    ("argv", "typed"),
    [
        (["/usr/bin/labctl", "bench", "failover"], "labctl bench failover"),
        (
            ["x", "-C", "/some/where", "bench", "path", "--rounds", "3", "--document", "p.md", "--plot=p.svg"],
            "labctl bench path --rounds 3",
        ),
    ],
)
def test_the_command_is_told_without_paths(argv: list[str], typed: str) -> None:
    assert command_line(argv) == typed


def test_conditions_are_those_of_this_machine(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": "model name\t: Some CPU\n", "etc/os-release": 'NAME=x\nPRETTY_NAME="Debian 12"\n'}
    found = Recorder(fake_host(tmp_path, files, load=0.123)).conditions()
    assert found.machine.endswith(" cores of Some CPU, 16 GiB, Debian 12, Linux 6.1.0-30-amd64")
    assert (found.load_before, found.load_after, found.used_before) == (0.12, 0.12, 0.0)


# Text without the marks themselves, on lines of its own as it is in a page.
PROSE = st.text(st.characters(codec="utf-8", exclude_characters="<\r"), max_size=60).map(str.strip)


@given(PROSE, PROSE, PROSE, PROSE)
def test_only_the_own_section_of_a_page_changes(before: str, after: str, first: str, second: str) -> None:
    page = f"{replace_section(before, 'x', first)}\n{after}"
    other = replace_section(page, "y", first)
    changed = replace_section(other, "x", second)
    old, new = replace_section("", "x", first).strip(), replace_section("", "x", second).strip()
    assert changed == other.replace(old, new, 1)
    assert replace_section(changed, "x", second) == changed
    assert before in changed
    assert after in changed


def test_a_page_that_is_not_there_is_made_and_one_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_section(page, "x", MARKDOWN)
    assert MARKDOWN.strip() in page.read_text()
    with pytest.raises(LabctlError, match="cannot be written"):
        write_section(page / "below", "x", MARKDOWN)
