"""What a seat's directory holds beside labctl's own folder: its labctl.yaml, a kubeconfig, an ssh_config."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

from ruamel.yaml import YAML

from labctl.classroom.seats import FOLDER, Seat, seat_values
from labctl.config.problems import FILE_NAME
from labctl.errors import HostError, LabctlError
from labctl.host.files import write_atomically

KUBECONFIG, SSH_CONFIG = "kubeconfig", "ssh_config"
_HEAD = """\
# A seat of a class: `labctl class up` wrote this file, from the labctl.yaml two folders up.
# labctl's commands work in this folder as in any lab's.
"""


def seat_yaml(seat: Seat) -> bytes:
    """The seat's labctl.yaml; the same seat gives the same bytes."""
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(seat_values(seat), text)
    return (_HEAD + text.getvalue()).encode()


def write_seat(seat: Seat) -> None:
    """Write the seat's labctl.yaml. Raises LabctlError if it can't be written."""
    try:
        write_atomically(seat.directory / FILE_NAME, seat_yaml(seat))
    except OSError as error:
        raise LabctlError(f"{seat.directory} can't be written", why=error.strerror or "") from error


def existing_seats(base: Path, names: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """The directories of the seats that were brought up here; names: only these.

    Raises HostError if there is none, or not that one.
    """
    found = {path.parent.name: path.parent for path in sorted((base / FOLDER).glob(f"*/{FILE_NAME}"))}
    if not found:
        raise HostError(f"there are no seats in {base / FOLDER}", next_step="labctl class up")
    unknown = [name for name in names if name not in found]
    if unknown:
        raise HostError(f"there is no {', '.join(unknown)} in {base / FOLDER}", why=f"there are {', '.join(found)}")
    return tuple(path for name, path in found.items() if not names or name in names)


def remove_seat(directory: Path) -> None:
    """Remove what the class wrote into a seat's directory, and the directory where nothing else is in it."""
    for name in (FILE_NAME, KUBECONFIG, SSH_CONFIG):
        (directory / name).unlink(missing_ok=True)
    for folder in (directory, directory.parent):
        with suppress(OSError):
            folder.rmdir()


def remove_room(folder: Path) -> None:
    """Remove the seats' folder where nothing is left in it but labctl's log of the class."""
    logs = set(folder.glob("labctl.log*"))
    if folder.is_dir() and set(folder.iterdir()) == logs:
        for log in logs:
            log.unlink()
        folder.rmdir()
