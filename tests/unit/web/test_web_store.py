"""What the class remembers: tokens as hashes only, sessions that end, and attempts that survive."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from labctl.web import store as module
from labctl.web.store import TEACHER, Attempt, Store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "web" / "class.db"


def test_no_token_and_no_cookie_is_in_the_files(file: Path):
    store = Store(file)
    store.issue({"seat01": "the-token", TEACHER: "the-teachers-token"})
    session = store.start_session("seat01")
    store.close()
    content = b"".join(path.read_bytes() for path in file.parent.iterdir())
    for secret in ("the-token", "the-teachers-token", session):
        assert secret.encode() not in content
    assert file.stat().st_mode & 0o077 == 0 and file.parent.stat().st_mode & 0o077 == 0


def test_a_token_says_who_it_is_and_a_new_one_ends_the_old_sessions(file: Path):
    store = Store(file)
    store.issue({"seat01": "one", "seat02": "two"})
    assert (store.person_of("one"), store.person_of("two"), store.person_of("three")) == ("seat01", "seat02", None)
    sessions = [store.start_session(name) for name in ("seat01", "seat02")]
    store.issue({"seat01": "new", "seat02": "two"})
    assert [store.session(session) for session in sessions] == [None, "seat02"]
    assert (store.person_of("one"), store.person_of("new")) == (None, "seat01")


def test_a_session_expires(file: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(file)
    session = store.start_session("seat01")
    assert store.session(session) == "seat01"
    later = time.time() + module.SESSION_SECONDS + 1
    monkeypatch.setattr(module.time, "time", lambda: later)
    assert store.session(session) is None


def test_everything_survives_a_restart(file: Path):
    store = Store(file)
    attempts = [
        Attempt("seat01", "exam 1", "a", "A", 10.0),
        Attempt("seat01", "exercise", "b", "B", 20.0, 30.0, hints=2, points=10, most=10),
        Attempt("seat02", "exercise", "b", "B", 5.0, skipped=True),
    ]
    for attempt in attempts:
        store.save(attempt)
    store.put("exam", {"number": 1})
    store.audit("seat01", "seat01", "came")
    session = store.start_session("seat01")
    again = Store(file)  # the first one is not closed: it was killed
    assert again.attempts() == tuple(attempts)
    assert again.attempts("seat01", "exercise") == (attempts[1],)
    assert (again.get("exam"), again.get("other", 7)) == ({"number": 1}, 7)
    assert [row[1:] for row in again.audited()] == [("seat01", "seat01", "came")]
    assert again.session(session) == "seat01"


def test_names_are_values_and_never_sql(file: Path):
    store = Store(file)
    evil = "'; DROP TABLE attempt; --"
    store.save(Attempt(evil, evil, evil, evil, 1.0))
    store.audit(evil, evil, evil)
    assert store.attempts(evil)[0].title == evil
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM attempt").fetchone() == (1,)
