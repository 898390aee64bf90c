"""As an attacker would: other seats' cookies, other sites' pages, wrong tokens, large and strange input."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from support.served_class import SEATS, URL, Class

from labctl.web import security
from labctl.web.app import make_app
from labctl.web.security import COOKIE, RateLimit
from labctl.web.store import TEACHER

pytestmark = pytest.mark.real_program("sh")

STATIC = Path(security.__file__).parent / "static"
PUBLIC = {"/enter", "/api/enter", "/picture.css"}
# What a signed-in student may have on their own seat.
OWN = {"/", "/api/live", "/api/leave", "/api/seats/{seat}/live", "/api/seats/{seat}/{action}"}


def routes(class_: Class) -> list[tuple[str, str]]:
    """Each route's path and method, as the application has them: one that is added later is tried as well."""
    found = []
    for route in make_app(class_.room, URL).routes:
        if isinstance(route, Route) and not re.fullmatch(r"/[\w.-]+\.(js|css)", route.path):
            found.append((route.path, "POST" if "POST" in (route.methods or ()) else "GET"))
    return [item for item in found if item[0] not in PUBLIC]


def path_of(template: str, seat: str) -> str:
    words = {"{seat}": seat, "{format}": "csv"}
    words["{action}"] = "help" if "seats" in template else "break"
    for name, value in words.items():
        template = template.replace(name, value)
    return template


def ask(class_: Class, method: str, path: str, person: str | None) -> int:
    answer = class_.post(path, {}, person) if method == "POST" else class_.get(path, person)
    return int(answer.status_code)


def test_nothing_is_answered_without_a_session(class_: Class):
    asked = routes(class_)
    assert len(asked) >= 9
    for template, method in asked:
        assert ask(class_, method, path_of(template, "seat01"), None) in (401, 303), template


def test_a_student_reaches_no_other_seat_and_nothing_of_the_teachers(class_: Class):
    for template, method in routes(class_):
        path = path_of(template, "seat01")
        if "{seat}" in template or template not in OWN:
            assert ask(class_, method, path, "seat02") == 403, template
    assert class_.store.get("exam") is None and not class_.resets
    assert [row for row in class_.store.audited() if row[1] == "seat02"] == []


def test_every_class_action_is_the_teachers_alone(class_: Class):
    for action in ("break", "repair", "reset", "exercise", "start-exam", "end-exam", "message", "nonsense"):
        assert class_.post(f"/api/class/{action}", {"seat": "seat01"}, "seat01").status_code == 403
        assert class_.post(f"/api/class/{action}", {"seat": "seat01"}, None).status_code == 401


def test_the_page_of_another_site_changes_nothing_and_opens_no_terminal(class_: Class):
    for origin in (
        "https://evil.example",
        "null",
        URL + ".evil.example",
        "http://class.test:8443",
        "https://class.test",
    ):
        headers = class_.headers(TEACHER, origin)
        assert class_.client.post("/api/class/message", json={"text": "x"}, headers=headers).status_code == 403
        with pytest.raises(WebSocketDisconnect), class_.terminal("seat01", origin=origin):
            pass
    headers = class_.headers(TEACHER)
    del headers["origin"]
    assert class_.client.post("/api/class/message", json={"text": "x"}, headers=headers).status_code == 403
    assert class_.store.get("message") is None
    assert class_.client.get("/enter", headers={"host": "evil.example"}).status_code == 400


def test_a_terminal_is_for_its_own_seat_and_for_machines_that_there_are(class_: Class):
    for person, seat, machine in (
        (None, "seat01", "worker1"),
        ("seat02", "seat01", "worker1"),
        ("seat01", "seat01", "host"),
        ("seat01", "seat01", "localhost"),
        ("seat01", "seat01", "..%2f..%2fseat02"),
        (TEACHER, "seat03", "worker1"),
    ):
        with pytest.raises(WebSocketDisconnect), class_.terminal(person, seat, machine):
            pass
    assert class_.server.commands == []
    paths = [route.path for route in make_app(class_.room, URL).routes if isinstance(route, WebSocketRoute)]
    assert paths == ["/api/seats/{seat}/terminals/{machine}"]


def test_a_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(class_: Class):
    class_.store.issue({"seat01": "right"})
    answer = class_.post("/api/enter", {"token": "right"}, None)
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=") and "right" not in cookie
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    session = cookie.partition("=")[2].partition(";")[0]
    assert class_.store.session(session) == "seat01"
    headers = {"origin": URL, "cookie": f"{COOKIE}={session}"}
    assert class_.client.post("/api/leave", headers=headers).status_code == 204
    assert class_.store.session(session) is None


@pytest.mark.parametrize("token", ["wrong", "", None, 7, ["right"], {"$ne": 1}, "right\x00", "' OR 1=1 --"])
def test_a_wrong_token_is_refused_and_noted(class_: Class, token: object):
    class_.store.issue({"seat01": "right"})
    answer = class_.post("/api/enter", {"token": token}, None)
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert class_.store.audited()[-1][3] == "a wrong link was refused"


def test_guessing_is_slowed_down(class_: Class):
    codes = [class_.post("/api/enter", {"token": "guess"}, None).status_code for _ in range(70)]
    assert codes.count(403) == 60 and codes[-1] == 429


def test_one_page_may_not_ask_without_end(class_: Class):
    codes = [class_.post("/api/seats/seat01/help", {"wanted": True}, "seat01").status_code for _ in range(60)]
    assert codes.count(429) >= 15
    assert class_.post("/api/seats/seat02/help", {"wanted": True}, "seat02").status_code == 204


def test_a_rate_limit_forgets(monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr(security.time, "monotonic", lambda: now[0])
    limit = RateLimit(2, 10)
    assert [limit.allows("a"), limit.allows("a"), limit.allows("a"), limit.allows("b")] == [True, True, False, True]
    now[0] += 10.1
    assert limit.allows("a")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * 5000, 413),
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 4000, 400),
        (b'{"text": 7}', 400),
        (b'{"text": "' + b"x" * 600 + b'"}', 400),
        (b'{"seat": "../seat02"}', 404),
        (b'{"seat": ["seat01"]}', 404),
        (b'{"level": 9}', 400),
        (b'{"level": true}', 400),
        (b'{"minutes": 1e9}', 400),
        (b"\xff\xfe", 400),
    ],
)
def test_large_and_strange_input_is_refused(class_: Class, body: bytes, status: int):
    answer = class_.client.post("/api/class/message", content=body, headers=class_.headers(TEACHER))
    assert answer.status_code == status
    assert "Traceback" not in answer.text and class_.store.get("message") is None


@pytest.mark.parametrize(
    "path", ["/../store.py", "/%2e%2e/store.py", "/vendor/../../store.py", "/static/enter.js", "/store.py", "/class.db"]
)
def test_no_other_file_is_served(class_: Class, path: str):
    assert class_.get(path).status_code == 404


def test_every_answer_has_the_policy(class_: Class):
    for path, person in (("/", "seat01"), ("/", TEACHER), ("/enter", None), ("/xterm.js", None), ("/nothing", None)):
        headers = class_.get(path, person).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"


def test_pages_have_nothing_inline_and_scripts_write_no_html():
    for file in STATIC.iterdir():
        if file.suffix == ".html":
            text = file.read_text()
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", text), file
        if file.suffix == ".js":
            text = file.read_text()
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://", text), file


def test_a_session_that_has_ended_is_none(class_: Class):
    headers = class_.headers("seat01")
    assert class_.client.get("/", headers=headers).status_code == 200
    class_.store.issue({name: "new links" for name in SEATS})
    answer = class_.client.get("/", headers=headers, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/enter")
