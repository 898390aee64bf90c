"""A measurement's own section of a Markdown page: written anew at each run, the rest of the page is left alone."""

from __future__ import annotations

import re
from pathlib import Path

from labctl.errors import LabctlError
from labctl.host.files import write_atomically


def write_section(page: Path, name: str, text: str) -> None:
    """Put text between the page's marks for that measurement; where it has none, at the page's end.

    Raises LabctlError if the page can't be read or written.
    """
    try:
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        write_atomically(page, with_section(before, name, text).encode())
    except OSError as error:
        raise LabctlError(f"{page} cannot be written", where=str(page), why=error.strerror or "") from error


def with_section(page: str, name: str, text: str) -> str:
    """The page with that section. The marks are comments, which Markdown does not show."""
    begin, end = f"<!-- bench {name}: written by the command, do not edit -->", f"<!-- bench {name}: end -->"
    section = f"{begin}\n{text.rstrip()}\n{end}"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if found.search(page):
        return found.sub(lambda _: section, page, count=1)
    return f"{page.rstrip()}\n\n{section}\n".lstrip("\n")
