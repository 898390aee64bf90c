"""What commands print: tables, JSON, files, durations and times."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from labctl.errors import LabctlError
from labctl.host.files import write_atomically

if TYPE_CHECKING:
    from labctl.cli.app import Application


def table(
    headings: Iterable[str], rows: Iterable[Iterable[str | Text]], *, wide: Iterable[str] = (), title: str = ""
) -> Table:
    """A plain table; text in it is no markup. wide: headings of columns that are never wrapped."""
    made = Table(box=None, pad_edge=False, title=Text(title) if title else None, title_style="bold")
    made.title_justify, unwrapped = "left", set(wide)
    for heading in headings:
        made.add_column(heading, no_wrap=heading in unwrapped, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def write_json(app: Application, data: Any) -> None:
    """Write data to standard output as JSON."""
    app.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def save(app: Application, data: str | bytes, file: Path | None, *, mode: int | None = None) -> None:
    """Write a document to a file, or text to standard output if there is no file. Raises LabctlError."""
    if file is None:
        app.write(data)
        return
    content = data.encode() if isinstance(data, str) else data
    try:
        write_atomically(file, content) if mode is None else write_atomically(file, content, mode=mode)
    except OSError as error:
        raise LabctlError(f"cannot write {file}", why=error.strerror or "") from error
    app.note(f"wrote {file}")


def duration(seconds: float) -> str:
    """A duration in words: `0.4 s`, `26 s`, `3 min 20 s`, `1 h 2 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = whole // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def clock(when: float) -> str:
    """A moment (seconds since 1970) in this host's time zone: `2026-03-04 15:06:07 CET`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(when))


def ago(when: float) -> str:
    """How long ago a moment (seconds since 1970) was, roughly: `12 s ago`, `3 min ago`, `2 h ago`, `5 days ago`."""
    past = max(0, round(time.time() - when))
    for seconds, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if past >= 2 * seconds:
            return f"{past // seconds} {unit} ago"
    return f"{past} s ago"
