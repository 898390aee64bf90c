"""`labctl watch`: a broken and a repaired session, as the page is told of them, and as a class sees them there."""

from __future__ import annotations

import json
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.lab_under_test import LabUnderTest, wait_until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# No sandbox, as Chromium has none for root; nothing that asks the internet.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,720",
)


@pytest.fixture(scope="module")
def address(lab: LabUnderTest) -> Iterator[str]:
    """Where watch serves its page; it ends by Ctrl-C."""
    process = lab.start("watch", "--port", "0")
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


class Stream:
    """What the page is told (server-sent events, WHATWG HTML, 9.2): the newest of each panel."""

    def __init__(self, address: str) -> None:
        self._response = urllib.request.urlopen(f"{address}changes", timeout=60)
        self._panels: dict[str, Any] = {}

    def until(self, panel: str, right: Callable[[Any], bool], seconds: float = 60) -> Any:
        """Read on until a panel is right; the panel."""
        end, name = time.monotonic() + seconds, ""
        while not (panel in self._panels and right(self._panels[panel])):
            assert time.monotonic() < end, f"{panel}: {self._panels.get(panel)}"
            line = self._response.readline().decode()
            assert line, "the stream has ended"
            key, _, value = line.strip().partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                self._panels[name] = json.loads(value)
        return self._panels[panel]

    def close(self) -> None:
        self._response.close()


def test_the_page_is_told_of_a_broken_and_a_repaired_session(lab: LabUnderTest, address: str) -> None:
    stream = Stream(address)
    stream.until("verdict", lambda verdict: verdict["title"] == "Everything works")
    lab.birdc("ingress", "disable", "worker2")
    try:
        stream.until("tables", lambda tables: "down (disabled)" in json.dumps(tables))
        # Before ingress has said it, the other end may be heard: that the session was shut down.
        stream.until("verdict", lambda verdict: verdict["title"] == "Session worker2 is disabled in BIRD on ingress")
    finally:
        lab.birdc("ingress", "enable", "worker2")
    stream.until("verdict", lambda verdict: verdict["title"] == "Everything works")
    stream.until("picture", lambda picture: "lg-broken" not in picture["svg"])
    stream.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Debian's Chromium."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium here: apt install chromium chromium-driver, or make lab-more, which does")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


@pytest.fixture
def page(browser: Chrome, address: str) -> Iterator[Chrome]:
    """The page, once it shows the healthy lab; whatever the browser complains of fails the test."""
    browser.get(address)
    wait_until("the page says that all is well", lambda: text(browser, "#headline"), "Everything works".__eq__)
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def text(browser: Chrome, selector: str) -> str:
    """What a person reads there."""
    return str(browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector))


def row(browser: Chrome, table: str, first: str) -> str:
    """The row of a table that begins with that word."""
    lines = text(browser, f"#table-{table}").splitlines()
    return next((line for line in lines if line.split("\t")[0] == first), "")


def test_a_broken_and_a_repaired_session_are_seen(lab: LabUnderTest, page: Chrome, tmp_path: Path) -> None:
    block = next(line.split("\t")[0] for line in text(page, "#table-routes").splitlines() if "worker1" in line)
    assert "Established" in row(page, "sessions", "worker1")
    lab.birdc("ingress", "disable", "worker1")
    try:
        wait_until("the row says it", lambda: row(page, "sessions", "worker1"), lambda seen: "disabled" in seen)
        wait_until("the route goes", lambda: row(page, "routes", block), lambda seen: not seen)
        headline = wait_until("verify names it", lambda: text(page, "#headline"), lambda seen: "worker1" in seen)
        assert headline == "Session worker1 is disabled in BIRD on ingress"
        assert "bgp.ingress.worker1" in text(page, "#failed")
        assert text(page, "#hint") == "next: labctl birdc ingress enable worker1"
        assert page.execute_script("return document.querySelectorAll('#picture .lg-broken').length") >= 1
        assert "session with worker1: down (disabled)" in text(page, "#events ol")
        page.save_screenshot(str(tmp_path / "broken.png"))
    finally:
        lab.birdc("ingress", "enable", "worker1")
    wait_until("it is repaired", lambda: text(page, "#headline"), "Everything works".__eq__)
    assert "Established" in row(page, "sessions", "worker1")
    assert row(page, "routes", block)
    assert page.execute_script("return document.querySelectorAll('#picture .lg-broken').length") == 0


def test_requests_are_counted(lab: LabUnderTest, page: Chrome) -> None:
    def counts() -> dict[str, int]:
        lines = [line.split("\t") for line in text(page, "#table-servers").splitlines() if line.startswith("SRV_")]
        return {cells[0]: int(cells[-1]) for cells in lines}

    before = counts()
    assert len(before) == lab.model.app.replicas
    for _ in range(3 * len(before)):
        request = urllib.request.Request(f"http://{lab.model.ingress.address}/", headers={"Host": lab.model.app.host})
        urllib.request.urlopen(request, timeout=60).read()
    wait_until("each server's count rises", counts, lambda seen: all(seen[name] >= before[name] + 3 for name in before))


def test_by_keyboard_in_light_and_dark_and_everything_on_one_screen(page: Chrome) -> None:
    from selenium.webdriver.common.keys import Keys

    def focused() -> str:
        return str(page.execute_script("return document.activeElement.innerText"))

    def background() -> str:
        return str(page.execute_script("return getComputedStyle(document.body).backgroundColor"))

    page.switch_to.active_element.send_keys(Keys.TAB)
    assert focused() == "Skip to the tables"
    page.switch_to.active_element.send_keys(Keys.TAB)
    before, label = background(), focused()
    assert label in ("Dark", "Light")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert background() != before
    page.refresh()
    wait_until("the choice is remembered", background, lambda seen: seen != before)
    page.execute_script("localStorage.clear()")
    page.execute_script(
        "const page = document.documentElement; "
        "window.beyond = [page.scrollHeight - innerHeight, page.scrollWidth - innerWidth]"
    )
    assert page.execute_script("return window.beyond") == [0, 0]
