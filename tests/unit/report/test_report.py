"""The report as HTML and Markdown."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support.golden import same_as_golden

from labctl.checks.check import Check, CheckId, CheckResult, Lesson, Outcome, Status, failed, passed, skipped
from labctl.checks.report import Report
from labctl.cli.main import cli
from labctl.errors import RemoteError
from labctl.host.command import CommandResult
from labctl.report.document import cell, code, fenced, html_prose, plain, prose, render
from labctl.report.versions import Version, versions

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("form", ["html", "md"])
@pytest.mark.parametrize("name", ["good", "broken"])
def test_whole_report(document, form, name, monkeypatch):
    monkeypatch.setattr("labctl.report.document.explain", lambda result: f"Why `{result.id}` fails: 1 < 2.")
    made = replace(document(), report=small_report(broken=name == "broken"))
    text = render(made, form).replace(_version(), "VERSION")
    same_as_golden(text, GOLDEN / f"{name}.{form}")


def small_report(*, broken: bool) -> Report:
    """A few checks of our own, so that the golden files do not change with the real ones."""

    def result(id_: str, title: str, outcome: Outcome, machine: str = "ingress") -> CheckResult:
        lesson = Lesson("it fails.", "it is broken.", "Repair it.")
        parsed = CheckId.parse(id_)
        check = Check(parsed, machine, title, "Established", "birdc show protocols", lambda facts: outcome, lesson)
        return CheckResult(check, outcome, (), 0.01)

    session = passed("Established")
    route = passed("via 192.168.50.23 | proto `bird`")
    if broken:
        session = failed("Active  Socket: <refused>", "nothing listens on worker1's port 179", "labctl ssh worker1")
        route = Outcome(Status.BLOCKED, "not checked: bgp.ingress.worker1 failed")
    results = (
        result("host.name", "test.local means ingress", skipped("not known here"), "host"),
        result("bgp.ingress.worker1", "BIRD has a session with worker1", session),
        result("route.kernel.worker1", "The kernel has the route", route),
    )
    return Report("lab", "lxc", "debian", results, 1.25)


def _version() -> str:
    from labctl import __version__

    return f"labctl {__version__}"


def test_a_broken_lab_names_its_root_cause_first(document):
    made = document(ingress_answers=False)
    assert tuple(map(str, made.report.root_causes)) == ("machine.ingress",)
    text = render(made, "html")
    assert text.index("What is broken") < text.index("Checks, layer by layer")
    assert "✗ machine.ingress" in text
    assert '<p class="fail">✗ 1 root cause: ' in text
    assert "<details open>" in text
    assert "<details open>" not in render(document(), "html")


class _Balance(HTMLParser):
    """Checks that every tag that is opened is closed in turn, and collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("answers", [True, False])
def test_the_page_stands_alone(document, answers):
    page = _Balance()
    page.feed(render(document(ingress_answers=answers), "html"))
    assert (page.open, page.loaded) == ([], [])


def test_a_machine_cannot_write_the_page(document):
    made = document(ingress_answers=False, error="<script>alert(1)</script>\x1b[31m\n# heading | cell")
    html = render(made, "html")
    assert "<script" not in html
    assert "\x1b" not in html
    markdown = render(made, "md")
    assert not re.search(r"^# heading", markdown, re.MULTILINE)
    for line in markdown.splitlines():
        if line.startswith("| ✗ | "):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5


@given(st.text(max_size=60))
def test_markdown_quoting(text):
    assert "\n" not in plain(text) + code(text) + cell(text)
    assert not re.search(r"(?<!\\)\|", cell(text))
    body = fenced(text).split("\n")
    fence = body[0].removesuffix("text")
    assert body[-1] == fence
    assert fence not in "\n".join(body[1:-1])


def test_prose_keeps_code_and_escapes_the_rest():
    text = "Ask `birdc show <x>` why 1 < 2 * 3, not `open"
    assert prose(text) == r"Ask `birdc show <x>` why 1 \< 2 \* 3, not \`open"
    assert html_prose(text) == "Ask <code>birdc show &lt;x&gt;</code> why 1 &lt; 2 * 3, not `open"


class _Machine:
    def __init__(self, answer: str | None) -> None:
        self.answer = answer
        self.ran: list[str] = []

    def to(self, machine: str):
        return self

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        if self.answer is None:
            raise RemoteError("no SSH connection")
        return CommandResult(command, 0, self.answer, "", 0.1)


def test_versions():
    from support.made_facts import make_lab

    from labctl.report.versions import read_versions

    answer = (
        "Debian GNU/Linux 13 (trixie)\n\f\n6.1.0-13-amd64\n\f\nBIRD version 2.17.6\n\f\n"
        "HAProxy version 3.0.11-1+deb13u5 2026/11/18 - https://haproxy.org/\nStatus: long-term\n"
    )
    names = dict.fromkeys(["system", "kernel", "BIRD", "HAProxy"], "")
    assert read_versions(answer, names) == [
        Version("system", "Debian GNU/Linux 13 (trixie)"),
        Version("kernel", "6.1.0-13-amd64"),
        Version("BIRD", "2.17.6"),
        Version("HAProxy", "3.0.11-1+deb13u5"),
    ]
    assert read_versions("etcd Version: 3.5.16\nGit SHA: x\n", {"etcd": ""}) == [Version("etcd", "3.5.16")]
    assert {item.version for item in versions(make_lab(), _Machine(None))} == {""}


def test_command_needs_a_lab(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    assert CliRunner().invoke(cli, ["report"]).exit_code == 3
