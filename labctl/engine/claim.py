"""A lab's claim on its name and its networks on this host: of two labs that come up at once one gets them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.config.overrides import Overrides, write_choices
from labctl.engine.applied import remember
from labctl.engine.other_labs import require_free_networks
from labctl.errors import HostError
from labctl.host.files import write_atomically
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.lxc.marks import HostMarks, require_own_name

# Whoever holds it reads a few files, or runs scripts/host/prepare.sh, which allows itself a minute, too.
_DEADLINE = 60.0
_PAUSE = 0.05


def claim(lab: Lab, files: LabDirectory, chosen: Overrides, marks: HostMarks | None = None) -> None:
    """Write down what `up` makes here, for every other labctl to see, if no other lab of this host is in its way.

    chosen: what `up` was told or found out. The lab's lock must be held. Raises ConfigError or HostError where another
    lab has the name or a network of this one.
    """
    marks = marks or HostMarks()
    if not lab.provider.traits.leaves_marks:  # nothing of it is on the host by its name, so nothing tells of it
        require_free_networks(lab, files, marks)
        _note(files, chosen)
        return
    with _one_at_a_time(marks.notes.parents[1]):
        require_own_name(lab, files, marks)
        require_free_networks(lab, files, marks)
        _note(files, chosen)
        write_atomically(marks.notes / lab.name, f"{files.base}\n".encode())


def _note(files: LabDirectory, chosen: Overrides) -> None:
    remember(files)
    write_choices(files.choices, chosen)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the lock that scripts/host/prepare.sh takes, too: on a folder, so that no file is left of it."""
    import fcntl  # noqa: PLC0415 - Windows has none, and no LXC

    handle = os.open(folder, os.O_RDONLY)
    until = time.monotonic() + _DEADLINE
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise HostError(
                        f"another program held the lock on {folder} for {_DEADLINE:.0f} s",
                        why="labctl takes it to note a lab's networks, and while it sets up bridges and NAT",
                        next_step=f"fuser -v {folder} shows who; then the same command again",
                    ) from None
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(handle)
