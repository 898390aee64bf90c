"""Text of unknown origin, made fit for a terminal."""

from __future__ import annotations

MAX_SHOWN = 60


def shown(text: str) -> str:
    """The text in one line: what can't be printed is escaped, what is long is cut."""
    if len(text) > MAX_SHOWN:
        text = text[: MAX_SHOWN - 1] + "…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def quoted(text: str) -> str:
    """The same in double quotes."""
    return f'"{shown(text)}"'
