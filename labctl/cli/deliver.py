"""A document for the user: to a file if one is named, else to standard output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import LabctlError

if TYPE_CHECKING:
    from labctl.cli.app import Application


def deliver(app: Application, text: str, out: Path | None) -> None:
    """Write the text, as UTF-8. Raises LabctlError if the file cannot be written."""
    from labctl.host.files import write_atomically

    if out is None:
        app.write(text)
        return
    try:
        write_atomically(out, text.encode())
    except OSError as error:
        raise LabctlError(f"{out} cannot be written", where=str(out), why=error.strerror or "") from error
    app.note(f"wrote {out}")
