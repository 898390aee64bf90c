"""The documentation: references that are made from the code, links that lead somewhere, commands that work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.links import anchors, broken, links
from support.shown import PLACES, Shown, pages, shown_in, with_place
from tools.reference import FOLDER
from tools.reference import pages as made_pages

import labctl

pytestmark = pytest.mark.real_program("bash")


@pytest.mark.parametrize("name", sorted(made_pages()))
def test_a_reference_page_is_what_the_code_says(name):
    file = FOLDER / name
    written = file.read_text(encoding="utf-8") if file.exists() else ""
    if written != made_pages()[name]:  # no diff of a whole page: one command mends it
        pytest.fail(f"docs/reference/{name} is behind the code. Run: make docs", pytrace=False)


def test_no_other_reference_page_is_left():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(made_pages())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_local_link_leads_somewhere(page: Path):
    assert broken(page) == []


def test_links_and_anchors_are_found():
    text = (
        "# A `b` c!\n## A b c\n[x](a.md#b) ![p](lab.svg) [w](https://example.org) `[no](n)`\n```\n[no](n)\n# no\n```\n"
    )
    assert links(text) == ["a.md#b", "lab.svg"]
    assert anchors(text) == {"a-b-c", "a-b-c-1"}


def test_every_page_can_be_reached_from_the_readme():
    top = pages()[0]
    seen, waiting = {top.resolve()}, [top]
    while waiting:
        page = waiting.pop()
        for link in links(page.read_text(encoding="utf-8")):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target not in seen:
                seen.add(target)
                waiting.append(target)
    assert {page.resolve() for page in pages()} - seen == set()


def test_each_command_says_where_it_runs():
    assert {one.place for page in pages() for one in shown_in(page)} <= set(PLACES)


@pytest.mark.parametrize("page", sorted(with_place("")))
def test_the_commands_that_a_page_shows_work(page: str, tmp_path: Path):
    for one in with_place("")[page]:
        done = run(one, tmp_path)
        assert done.returncode == one.status, f"$ {one.command}\n{done.stdout}"
        assert one.agrees(done.stdout), f"$ {one.command}\n{done.stdout}\nthe page shows:\n{one.output}"


def run(one: Shown, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader would, in a folder that a page's commands share; both outputs as one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LABCTL_")}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    environment = {**kept, "PATH": path, "PYTHONPATH": str(Path(labctl.__file__).parent.parent), "NO_COLOR": "1"}
    return subprocess.run(
        ["bash", "-c", one.command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def test_no_command_is_overlooked():
    """A block may stand in a list: it counts there, too."""
    assert pages()
    for page in pages():
        lines = page.read_text(encoding="utf-8").splitlines()
        blocks = sum(1 for line in lines if line.lstrip().startswith("```console"))
        commands = sum(1 for line in lines if line.lstrip().startswith("$ "))
        assert commands >= len(shown_in(page)) >= blocks, page
