"""What the class remembers across restarts, in SQLite: hashes of tokens, tasks, the exam, and who did what."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

WEB_FOLDER, DATABASE = "seats/web", "class.db"
TEACHER = "teacher"
BOARD = "board"
_BOARD_SECONDS = 30.0
SESSION_SECONDS = 12 * 3600.0
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS token (person TEXT PRIMARY KEY, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS session (hash TEXT PRIMARY KEY, person TEXT NOT NULL, expires REAL NOT NULL);
CREATE TABLE IF NOT EXISTS value (name TEXT PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempt (
  seat TEXT, part TEXT, task TEXT, title TEXT NOT NULL, started REAL NOT NULL, done REAL NOT NULL,
  skipped INTEGER NOT NULL, hints INTEGER NOT NULL, points INTEGER NOT NULL, most INTEGER NOT NULL,
  PRIMARY KEY (seat, part, task));
CREATE TABLE IF NOT EXISTS audit (at REAL NOT NULL, who TEXT NOT NULL, seat TEXT NOT NULL, what TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A student's attempt at one task.

    part: what the task belongs to ("exercise", "practice", "exam 1"). started, done: seconds since 1970; done is 0
    until the task is done. hints: how many the student has seen. most: the points that the task is worth.
    """

    seat: str
    part: str
    task: str
    title: str
    started: float
    done: float = 0.0
    skipped: bool = False
    hints: int = 0
    points: int = 0
    most: int = 0

    @property
    def finished(self) -> bool:
        """Whether it is done or skipped."""
        return bool(self.done) or self.skipped


def hashed(token: str) -> str:
    """The form in which a token is stored: tokens are random, so a plain hash tells nothing about them."""
    return hashlib.sha256(token.encode()).hexdigest()


class Store:
    """The database. Every method may be called from any thread; a person is a seat's name or TEACHER."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.parent.chmod(0o700)
        file.touch(mode=0o600)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, timeout=10, isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def issue(self, tokens: Mapping[str, str]) -> None:
        """Accept each person's token, and end the sessions of a person whose token is another one now."""
        for person, token in tokens.items():
            if self._rows("SELECT 1 FROM token WHERE person = ? AND hash = ?", person, hashed(token)):
                continue
            self._rows("DELETE FROM session WHERE person = ?", person)
            self._rows("INSERT OR REPLACE INTO token VALUES (?, ?)", person, hashed(token))

    def person_of(self, token: str) -> str | None:
        """Whose token this is. It is compared with all tokens, in constant time."""
        wanted = hashed(token)
        found = [person for person, hash_ in self._rows("SELECT * FROM token") if hmac.compare_digest(hash_, wanted)]
        return found[0] if found else None

    def start_session(self, person: str) -> str:
        """A new session; returns its token, for a cookie."""
        token, now = secrets.token_urlsafe(16), time.time()
        self._rows("DELETE FROM session WHERE expires < ?", now)
        self._rows("INSERT INTO session VALUES (?, ?, ?)", hashed(token), person, now + SESSION_SECONDS)
        return token

    def session(self, token: str) -> str | None:
        """Whose session this is; None if there is none, or it has expired."""
        rows = self._rows("SELECT person FROM session WHERE hash = ? AND expires > ?", hashed(token), time.time())
        return str(rows[0][0]) if rows else None

    def end_session(self, token: str) -> None:
        """End a session."""
        self._rows("DELETE FROM session WHERE hash = ?", hashed(token))

    def put(self, name: str, value: Any) -> None:
        """Store a JSON value."""
        self._rows("INSERT OR REPLACE INTO value VALUES (?, ?)", name, json.dumps(value))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of that name."""
        rows = self._rows("SELECT json FROM value WHERE name = ?", name)
        return json.loads(rows[0][0]) if rows else default

    def save(self, attempt: Attempt) -> None:
        """Store an attempt in place of the one at the same task."""
        self._rows("INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *astuple(attempt))

    def attempts(self, seat: str = "", part: str = "") -> tuple[Attempt, ...]:
        """The attempts, the oldest first. seat, part: only of these."""
        rows = self._rows(
            "SELECT * FROM attempt WHERE ? IN ('', seat) AND ? IN ('', part) ORDER BY seat, started, rowid", seat, part
        )
        return tuple(Attempt(*[*row[:6], bool(row[6]), *row[7:]]) for row in rows)

    def forget(self, seat: str, part: str) -> None:
        """Delete the attempts of a seat at one part."""
        self._rows("DELETE FROM attempt WHERE seat = ? AND part = ?", seat, part)

    def audit(self, who: str, seat: str, what: str) -> None:
        """Note who did what, and to which seat."""
        self._rows("INSERT INTO audit VALUES (?, ?, ?, ?)", time.time(), who, seat, what)

    def audited(self) -> list[tuple[float, str, str, str]]:
        """Everything that was noted, the oldest first: when, who, seat, what."""
        return self._rows("SELECT * FROM audit ORDER BY rowid")

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()


def served_seats(file: Path) -> dict[str, dict[str, Any]]:
    """The rows of the teacher's board, by seat, each with the page's url; none if no page has been served just now."""
    if not os.access(file, os.R_OK | os.W_OK):
        return {}
    store = Store(file)
    try:
        board = store.get(BOARD)
    finally:
        store.close()
    if board is None or board["at"] < time.time() - _BOARD_SECONDS:
        return {}
    return {row["seat"]: row | {"url": board["url"]} for row in board["seats"]}
