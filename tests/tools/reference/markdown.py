"""Small parts of Markdown: a table, and text that is safe inside one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def plain(text: str) -> str:
    """Text of the program's own in one line, without what Markdown or HTML would take as its own."""
    return re.sub(r"([<>*])", r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Text as code; nothing for no text."""
    return f"`{' '.join(text.split())}`" if text else ""
