"""What has happened: the differences between two views, in words, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labctl.watch.view import BAD, GOOD, PLAIN, Cell, Table, Verdict, View

_MOST = 40


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. when: the host's clock, in words."""

    when: str
    text: str
    mood: str = PLAIN


@dataclass(frozen=True, slots=True)
class _Change:
    """One change: what it is about, and what became of that."""

    subject: str
    what: str
    mood: str


class Happened:
    """Remembers the newest events."""

    def __init__(self) -> None:
        self._before: View | None = None
        self.events: tuple[Event, ...] = ()

    def see(self, view: View, when: str) -> tuple[Event, ...]:
        """Compare with the view before; all events that are remembered now."""
        before, self._before = self._before, view
        if before is not None:
            new = [Event(when, text, mood) for text, mood in differences(before, view)]
            self.events = (*reversed(new), *self.events)[:_MOST]
        return self.events


def differences(before: View, now: View) -> Iterator[tuple[str, str]]:
    """Each difference as (words, mood); what became of several in the same way is one."""
    for old, new in zip(before.tables, now.tables, strict=True):
        yield from _joined(_ROWS[new.name](old, new))
    yield from _verdicts(before.verdict, now.verdict)


def _joined(changes: Iterable[_Change]) -> Iterator[tuple[str, str]]:
    subjects: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        subjects.setdefault((change.what, change.mood), []).append(change.subject)
    for (what, mood), names in subjects.items():
        yield what.format(", ".join(names)), mood


def _verdicts(before: Verdict, now: Verdict) -> Iterator[tuple[str, str]]:
    if now.state == "broken" and (before.state, before.check) != (now.state, now.check):
        yield f"verify: {now.check} fails", BAD
    elif now.state == "ok" and before.state == "broken":
        yield "verify: everything works again", GOOD


def _sessions(before: Table, now: Table) -> Iterator[_Change]:
    place = now.headings.index("state")
    was = {_key(row, place): row[place] for row in before.rows}
    for row in now.rows:
        state, old = row[place], was.get(_key(row, place))
        if old is not None and old.text != state.text and (old.mood, state.mood) != (BAD, BAD):
            yield _Change(_named(row, place), f"session with {{}}: {_literal(state.text)}", state.mood)


def _routes(before: Table, now: Table) -> Iterator[_Change]:
    old, new = ({tuple(cell.text for cell in row) for row in table.rows} for table in (before, now))
    place = now.headings.index("block of pods")
    for row in sorted(old - new):
        yield _Change(_way(row, place), "routes gone: {}" if len(old - new) > 1 else "route gone: {}", BAD)
    for row in sorted(new - old):
        yield _Change(_way(row, place), "routes: {}" if len(new - old) > 1 else "route: {}", GOOD)


def _way(row: tuple[str, ...], place: int) -> str:
    return " ".join((*row[:place], row[place], "by", row[place + 1]))


def _pods(before: Table, now: Table) -> Iterator[_Change]:
    old = {row[0].text: row for row in before.rows}
    new = {row[0].text: row for row in now.rows}
    for name in [name for name in old if name not in new]:
        yield _Change(name, "pod gone: {}", PLAIN)
    for name, row in new.items():
        state = row[3]
        if name not in old or (old[name][3].text != state.text and state.text != "ending"):
            where = f" on {_literal(row[1].text)}" if row[1].text else ""
            yield _Change(name, f"pod {{}}{where}: {_literal(state.text)}", state.mood)


def _servers(before: Table, now: Table) -> Iterator[_Change]:
    place = now.headings.index("state")
    was = {_key(row, place): row[place] for row in before.rows}
    for row in now.rows:
        state, old = row[place], was.get(_key(row, place))
        if old is not None and old.mood != state.mood:
            yield _Change(_named(row, place), f"HAProxy's server {{}}: {_literal(state.text)}", state.mood)


_ROWS = {"sessions": _sessions, "routes": _routes, "pods": _pods, "servers": _servers}


def _key(row: tuple[Cell, ...], place: int) -> tuple[str, ...]:
    return tuple(cell.text for cell in row[:place])


def _named(row: tuple[Cell, ...], place: int) -> str:
    return " ".join(reversed(_key(row, place)))


def _literal(text: str) -> str:
    """Text of the lab in a format string."""
    return text.replace("{", "{{").replace("}", "}}")
