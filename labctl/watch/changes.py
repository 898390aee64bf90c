"""Events: the differences between two views, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labctl.watch.view import BAD, GOOD, PLAIN, Cell, Table, Verdict, View

_MAX_EVENTS = 40


@dataclass(frozen=True, slots=True)
class Event:
    """A change in the lab. when: the time on the host, as HH:MM:SS."""

    when: str
    text: str
    style: str = PLAIN


@dataclass(frozen=True, slots=True)
class _Change:
    """One change. what: a format string for the subject's name."""

    subject: str
    what: str
    style: str


class EventLog:
    """The newest events, newest first."""

    def __init__(self) -> None:
        self._before: View | None = None
        self.events: tuple[Event, ...] = ()

    def record(self, view: View, when: str) -> tuple[Event, ...]:
        """Compare with the view before, and return all events."""
        before, self._before = self._before, view
        if before is not None:
            new = [Event(when, text, style) for text, style in differences(before, view)]
            self.events = (*reversed(new), *self.events)[:_MAX_EVENTS]
        return self.events


def differences(before: View, now: View) -> Iterator[tuple[str, str]]:
    """Each difference as (text, style); the same change of several subjects is one difference."""
    for old, new in zip(before.tables, now.tables, strict=True):
        yield from _combined(_CHANGES[new.name](old, new))
    yield from _verdicts(before.verdict, now.verdict)


def _combined(changes: Iterable[_Change]) -> Iterator[tuple[str, str]]:
    subjects: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        subjects.setdefault((change.what, change.style), []).append(change.subject)
    for (what, style), names in subjects.items():
        yield what.format(", ".join(names)), style


def _verdicts(before: Verdict, now: Verdict) -> Iterator[tuple[str, str]]:
    if now.state == "broken" and (before.state, before.check) != (now.state, now.check):
        yield f"verify: {now.check} fails", BAD
    elif now.state == "ok" and before.state == "broken":
        yield "verify: everything works again", GOOD


def _states(before: Table, now: Table, what: str) -> Iterator[tuple[Cell, _Change]]:
    """Each row of both tables whose state is another one: the state before, and the change."""
    column = now.headings.index("state")
    before_by_key = {_key(row, column): row[column] for row in before.rows}
    for row in now.rows:
        state, old = row[column], before_by_key.get(_key(row, column))
        if old is not None and old != state:
            subject = " ".join(reversed(_key(row, column)))
            yield old, _Change(subject, f"{what}: {_literal(state.text)}", state.style)


def _sessions(before: Table, now: Table) -> Iterator[_Change]:
    changes = _states(before, now, "session with {}")
    return (change for old, change in changes if (old.style, change.style) != (BAD, BAD))


def _routes(before: Table, now: Table) -> Iterator[_Change]:
    old, new = ({tuple(cell.text for cell in row) for row in table.rows} for table in (before, now))
    column = now.headings.index("block")
    for row in sorted(old - new):
        yield _Change(_route(row, column), "routes removed: {}" if len(old - new) > 1 else "route removed: {}", BAD)
    for row in sorted(new - old):
        yield _Change(_route(row, column), "routes added: {}" if len(new - old) > 1 else "route added: {}", GOOD)


def _route(row: tuple[str, ...], column: int) -> str:
    return " ".join((*row[: column + 1], "via", row[column + 1]))


def _pods(before: Table, now: Table) -> Iterator[_Change]:
    old = {row[0].text: row for row in before.rows}
    new = {row[0].text: row for row in now.rows}
    for name in [name for name in old if name not in new]:
        yield _Change(name, "pod deleted: {}", PLAIN)
    for name, row in new.items():
        state = row[3]
        if name not in old or (old[name][3].text != state.text and state.text != "terminating"):
            where = f" on {_literal(row[1].text)}" if row[1].text else ""
            yield _Change(name, f"pod {{}}{where}: {_literal(state.text)}", state.style)


def _servers(before: Table, now: Table) -> Iterator[_Change]:
    return (change for old, change in _states(before, now, "HAProxy's server {}") if old.style != change.style)


_CHANGES = {"sessions": _sessions, "routes": _routes, "pods": _pods, "servers": _servers}


def _key(row: tuple[Cell, ...], column: int) -> tuple[str, ...]:
    return tuple(cell.text for cell in row[:column])


def _literal(text: str) -> str:
    """Text of the lab, escaped for a format string."""
    return text.replace("{", "{{").replace("}", "}}")
