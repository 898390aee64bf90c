"""`labctl watch` in a real browser: a session that is broken and repaired, as a class sees it on the projector."""

from __future__ import annotations

import shutil
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab_under_test import LabUnderTest, wait_until

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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Debian's Chromium."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and driver, "apt install chromium chromium-driver"
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
        assert "session with worker1: down (disabled)" in text(page, "#happened ol")
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
