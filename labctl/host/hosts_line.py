"""The one line that labctl may add to /etc/hosts: the application's name, marked with the lab's name."""

from __future__ import annotations

from pathlib import Path

from labctl.errors import HostError
from labctl.model.lab import Lab


def hosts_line(lab: Lab) -> str:
    """The line for this lab, without a line end."""
    return f"{lab.ingress.address} {lab.app.host} {_mark(lab)}"


def apply_line(file: Path, lab: Lab) -> bool:
    """Put the lab's line into file, in place of an older one; returns whether that changed it. Raises HostError."""
    kept = _others(file, lab)
    return _write(file, [*kept, hosts_line(lab)], "--apply")


def remove_line(file: Path, lab: Lab) -> bool:
    """Take the lab's line out of file; returns whether that changed it. Raises HostError."""
    return _write(file, _others(file, lab), "--remove")


def _mark(lab: Lab) -> str:
    return f"# labctl:{lab.name}"


def _others(file: Path, lab: Lab) -> list[str]:
    return [line for line in file.read_text().splitlines() if not line.endswith(_mark(lab))]


def _write(file: Path, lines: list[str], option: str) -> bool:
    """Write in place, with one write: the file keeps its owner and mode, also where it is mounted by itself."""
    text = "".join(line + "\n" for line in lines)
    if file.read_text() == text:
        return False
    try:
        with file.open("r+") as stream:
            stream.write(text)
            stream.truncate()
    except PermissionError as error:
        raise HostError(f"{file} belongs to root", next_step=f"sudo labctl hosts {option}") from error
    return True
