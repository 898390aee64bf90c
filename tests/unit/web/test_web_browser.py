"""Two students and a teacher in Chromium at once: an exam from its start to the marks, terminals, help, a reload."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.made_facts import make_facts
from support.served_class import LAB, SEATS, Class, until

from labctl.checks.verify import judge_facts
from labctl.classroom.side_by_side import Result
from labctl.errors import LabctlError
from labctl.watch.server import listen
from labctl.web.app import make_server
from labctl.web.certificate import ensure_certificate
from labctl.web.links import make_links, make_tokens
from labctl.web.store import TEACHER

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.real_program("sh", "bash", "python", "chromedriver", "chromium"),
    pytest.mark.host_file("/"),
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium: apt install chromium chromium-driver"),
]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
)
SECONDS = 180.0  # three browsers start, perhaps on a busy machine
# As a machine's sshd does, where a person asks for a terminal.
IN_A_TERMINAL = 'exec python3 -c \'import pty; pty.spawn(["bash", "--norc"])\''
EVIL = "<img src=x onerror=alert(1)>"


class Browser:
    """One person's browser."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome

    def text(self, selector: str) -> str:
        """What a person reads there."""
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.chrome.execute_script(script, selector))

    def sees(self, selector: str, *words: str) -> None:
        until(lambda: all(word in self.text(selector) for word in words), SECONDS)

    def click(self, selector: str) -> None:
        self.chrome.find_element("css selector", selector).click()

    def type(self, keys: str) -> None:
        self.chrome.switch_to.active_element.send_keys(keys)

    def screen(self) -> str:
        """What the terminal shows."""
        script = "return [...document.querySelectorAll('.terminal:not([hidden]) .xterm-rows > div')]"
        return str(self.chrome.execute_script(f"{script}.map((row) => row.textContent.trimEnd()).join('\\n').trim()"))

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.chrome.get_log("browser")]


def open_browser(folder: Path, size: str) -> Browser:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--window-size={size}", f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Browser(webdriver.Chrome(options=options, service=Service(str(DRIVER))))


@pytest.fixture
def people(class_: Class, tmp_path: Path) -> Iterator[dict[str, Browser]]:
    """The two students, one with a laptop and one with a tablet, and the teacher, each on their page by their link."""
    class_.server.behaviour.rewrite = lambda _: IN_A_TERMINAL
    listener = listen(0)
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    certificate, key = ensure_certificate(tmp_path / "tls", "127.0.0.1")
    server = make_server(class_.room, url, ssl_certfile=certificate, ssl_keyfile=key)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    class_.room._ask_others = lambda: [Result("seat03", error=LabctlError("no lab"), server="server2")]
    class_.room.start()
    tokens = make_tokens(tmp_path / "tls", SEATS)
    class_.store.issue(tokens)
    found: dict[str, Browser] = {}
    try:
        for link, size in zip(make_links(url, tokens), ("1024,768", "800,1100", "1280,900"), strict=True):
            found[link.person] = open_browser(tmp_path / f"chromium-{link.person}", size)
            found[link.person].chrome.get(link.link)
            until(lambda: found[link.person].chrome.current_url == f"{url}/", SECONDS)  # noqa: B023 - called at once
        yield found
    finally:
        for browser in found.values():
            browser.chrome.quit()
        server.should_exit = True
        thread.join(timeout=SECONDS)


def no_sideways(browser: Browser) -> bool:
    script = "return document.documentElement.scrollWidth <= innerWidth"
    return bool(browser.chrome.execute_script(script))


def test_two_students_and_a_teacher(people: dict[str, Browser], class_: Class):
    one, two, teacher = (people[name] for name in (*SEATS, TEACHER))
    one.sees("#seat", "seat01")
    two.sees("#seat", "seat02")
    teacher.sees("#board", "seat01", "seat02", "server2 seat03", "no lab")
    assert [line.split("\t")[0] for line in teacher.text("#board tbody").splitlines()] == [*SEATS, "server2 seat03"]
    assert no_sideways(one) and no_sideways(two) and no_sideways(teacher)
    terminals(one, teacher)
    exam(one, two, teacher, class_)
    words(one, two, teacher)
    keyboard(one)
    for browser in people.values():
        assert browser.complaints() == []


def terminals(one: Browser, teacher: Browser) -> None:
    """A student types, reloads, and is joined by the teacher."""
    one.click("#tab-worker1")
    until(lambda: one.text(".terminal-state") == "", SECONDS)
    one.type("echo $((6 * 7))\n")
    until(lambda: "42" in one.screen(), SECONDS)
    one.chrome.refresh()
    until(lambda: "42" in one.screen(), SECONDS)
    teacher.click("#row-seat01 button")
    teacher.sees("#tabs", "worker1")
    teacher.click("#tab-worker1")
    until(lambda: "42" in teacher.screen(), SECONDS)
    one.sees("#message", "Your teacher is in your terminal on worker1")
    teacher.type("echo $((50 + 5))\n")
    until(lambda: "55" in one.screen(), SECONDS)
    teacher.chrome.execute_script("[...document.querySelectorAll('#seat-actions button')].at(-1).click()")
    until(lambda: "teacher" not in one.text("#message"), SECONDS)


def exam(one: Browser, two: Browser, teacher: Browser, class_: Class) -> None:
    """From its start to its marks: the first student repairs the fault."""
    teacher.click("#exam button[name=start]")
    for student in (one, two):
        student.sees("#tasks-title", "0 of 1")
        student.sees("#clock", "44:")
    one.click("#help")
    teacher.sees("#row-seat01", "waits for 0 min")
    class_.room.seats["seat01"]._record_faults(judge_facts(LAB, make_facts(LAB)))
    one.sees("#tasks-title", "1 of 1")
    teacher.click("#exam button[name=end]")
    teacher.sees("#note", "exam 1 has ended")
    teacher.sees("#marks", "seat01", "exam 1", "1 of 1")


def words(one: Browser, two: Browser, teacher: Browser) -> None:
    """A message is text, whatever is in it."""
    teacher.chrome.find_element("css selector", "#message input").send_keys(EVIL, "\n")
    for student in (one, two):
        student.sees("#message", EVIL)
        assert not student.chrome.find_elements("css selector", "#message img")


def keyboard(one: Browser) -> None:
    """Out of the terminal, along the tabs, and into the dark."""
    from selenium.webdriver.common.keys import Keys

    def focused() -> Any:
        return one.chrome.execute_script("return document.activeElement.id")

    one.click("#tab-worker1")
    one.type(Keys.F6)
    assert focused() == "tab-worker1"
    one.type(Keys.HOME)
    assert focused() == "tab-lab"
    one.chrome.execute_script("document.getElementById('theme').focus()")
    background = "return getComputedStyle(document.body).backgroundColor"
    before = one.chrome.execute_script(background)
    one.type(Keys.ENTER)
    assert one.chrome.execute_script(background) != before
