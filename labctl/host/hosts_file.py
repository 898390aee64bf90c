"""A lab's line in /etc/hosts. A comment marks it, so that labctl finds and removes it later."""

from __future__ import annotations

import errno
from pathlib import Path

from labctl.errors import HostError
from labctl.host.files import write_atomically
from labctl.model.lab import Lab

HOSTS_FILE = "/etc/hosts"


def hosts_line(lab: Lab) -> str:
    """The line: the address that clients use, the application's host name, and a comment with the lab's name."""
    return f"{lab.entry} {lab.app.host} {_marker(lab.name)}"


def with_line(text: str, lab: Lab) -> str:
    """The text of a hosts file with the lab's line exactly once: where it was before, or at the end."""
    lines = text.splitlines(keepends=True)
    mine = [index for index, line in enumerate(lines) if _is_marked(line, lab.name)]
    line = hosts_line(lab) + "\n"
    if not mine:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        return "".join([*lines, line])
    lines[mine[0]] = line
    return "".join(line for index, line in enumerate(lines) if index not in mine[1:])


def without_line(text: str, lab_name: str) -> str:
    """The text of a hosts file without the lab's line."""
    return "".join(line for line in text.splitlines(keepends=True) if not _is_marked(line, lab_name))


def conflicting_lines(text: str, lab: Lab) -> list[str]:
    """Lines that map the application's host name to another address; the resolver uses the first match."""
    found = []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if lab.app.host in names and address != str(lab.entry) and not _is_marked(line, lab.name):
            found.append(line.strip())
    return found


def apply_line(lab: Lab, file: Path) -> bool:
    """Add the lab's line to the file. Returns whether the file changed. Raises HostError if it may not be written."""
    text = _read(file)
    return _write(file, text, with_line(text, lab), "labctl hosts --apply")


def remove_line(lab_name: str, file: Path) -> bool:
    """Remove the lab's line from the file. Returns whether the file changed. Raises HostError without permission."""
    text = _read(file)
    return _write(file, text, without_line(text, lab_name), "labctl hosts --remove")


def _marker(lab_name: str) -> str:
    return f"# labctl:{lab_name}"


def _is_marked(line: str, lab_name: str) -> bool:
    return line.rstrip().endswith(" " + _marker(lab_name))


def _read(file: Path) -> str:
    """The file's text, "" if there is no file. Line ends, and bytes that are not UTF-8, survive (surrogateescape)."""
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HostError(f"{file} cannot be read", why=str(error.strerror)) from error


def _write(file: Path, before: str, after: str, command: str) -> bool:
    if after == before:
        return False
    target = file.resolve()
    data = after.encode("utf-8", "surrogateescape")
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        try:
            write_atomically(target, data, mode=mode)
        except OSError as error:
            if error.errno not in {errno.EBUSY, errno.EXDEV}:
                raise
            target.write_bytes(data)  # a mount point, as in containers: it cannot be replaced, only written
    except OSError as error:
        raise HostError(f"{file} cannot be changed", why=str(error.strerror), next_step=f"sudo {command}") from error
    return True
