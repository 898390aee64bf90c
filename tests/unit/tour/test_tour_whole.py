"""The whole tour on recorded answers, and what it writes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.golden import same_as_golden
from support.played_tour import Machines, Recorder

from labctl.report.document import handout
from labctl.tour.runner import TourRunner, run_tour
from labctl.tour.stops import STOPS

HERE = Path(__file__).parent
HANDOUT = HERE.parents[2] / "docs" / "tour.md"
ARTICLE = [
    *("nodes", "refused", "blocks", "filter", "restart", "sessions", "bird-routes", "kernel", "established"),
    *("application", "pods", "traceroute", "request", "stats", "haproxy-cfg", "scale-up", "scale-down"),
]


def whole(lab):
    machines, watcher = Machines(), Recorder()
    return run_tour(STOPS, TourRunner(lab, machines, watcher), watcher), machines, watcher


def test_stops_are_in_the_articles_order():
    assert [stop.name for stop in STOPS] == ARTICLE


def test_every_stop_shows_what_it_claims(lab):
    visits, machines, watcher = whole(lab)
    assert [visit.stop.name for visit in visits if not visit.ok] == []
    assert all(visit.claims and visit.commands for visit in visits)
    assert watcher.told[0] == "arrive nodes 1/17"
    assert watcher.told[-1] == "leave scale-down last"
    assert [command for _, command in machines.ran].count("systemctl start bird") == 1


def test_what_matters_is_highlighted_at_every_stop(lab):
    from labctl.report.document import highlighted_words

    visits, _, _ = whole(lab)
    assert [visit.stop.name for visit in visits if not any(highlighted_words(shot) for shot in visit.commands)] == []


def test_the_handout_in_the_documentation_is_this_tour(lab):
    same_as_golden(handout(lab, whole(lab)[0], "md"), HANDOUT, without=without_version)


def without_version(text: str) -> str:
    return re.sub(r"labctl \d+\.\S+ Every", "labctl VERSION. Every", text)


class _Balance(HTMLParser):
    """Checks that every tag that is opened is closed in turn."""

    EMPTY = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "href") and not value.startswith("#")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_html_handout_stands_alone(lab):
    text = handout(lab, whole(lab)[0], "html")
    page = _Balance()
    page.feed(text)
    assert (page.open, page.loaded) == ([], [])
    assert "<script" not in text
    assert re.findall(r'<h2 id="([^"]*)"', text) == ARTICLE
    assert "<mark>192.168.50.21 | global            | start |" in text.replace("| <mark>", "<mark>")
    assert "$ labctl birdc ingress show protocols" in text


@pytest.mark.parametrize("form", ["md", "html"])
def test_a_machine_cannot_write_the_handout(lab, form):
    def edit(command: str, output: str) -> str:
        return output + "<script>alert(1)</script>\n```\n# heading\n\x1b[31m" if command == "ip route" else output

    machines, watcher = Machines(edit), Recorder()
    stops = [stop for stop in STOPS if stop.name == "kernel"]
    text = handout(lab, run_tour(stops, TourRunner(lab, machines, watcher), watcher), form)
    if form == "html":
        assert "<script" not in text
        assert "\x1b" not in text
    else:
        assert "\n````text\n" in text
