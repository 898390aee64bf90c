"""Long output made short: the lines that matter stay, with what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_MOST = 22
_AROUND = 1
_LEAST_HIDDEN = 3


def fold(text: str, marks: Iterable[str]) -> tuple[str, ...]:
    """The lines of the text; of a long one only those near a mark, and `⋮ N lines` for each gap.

    Long is more than 22 lines. Text without any mark in it is only cut at its end.
    """
    lines = text.splitlines()
    if len(lines) <= _MOST:
        return tuple(lines)
    wanted = [re.compile(mark) for mark in marks]
    hits = [index for index, line in enumerate(lines) if any(mark.search(line) for mark in wanted)]
    if not hits:
        return (*lines[: _MOST - 1], _gap(len(lines) - _MOST + 1))
    kept = {index + offset for index in hits for offset in range(-_AROUND, _AROUND + 1)}
    return tuple(_folded(lines, kept))


def _folded(lines: list[str], kept: set[int]) -> Iterator[str]:
    hidden: list[str] = []
    for index, line in enumerate(lines):
        if index not in kept:
            hidden.append(line)
            continue
        yield from _short(hidden)
        hidden = []
        yield line
    yield from _short(hidden)


def _short(hidden: list[str]) -> list[str]:
    return hidden if len(hidden) < _LEAST_HIDDEN else [_gap(len(hidden))]


def _gap(count: int) -> str:
    return f"⋮ {count} lines"


def marked(text: str, marks: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """Where marks match in a line, as (start, end), from left to right and without overlaps."""
    spans = sorted((match.start(), match.end()) for mark in marks for match in re.finditer(mark, text) if match.group())
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
