"""Which provider works on this host."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from labctl.errors import HostError
from labctl.host.facts import AskProgram, ask_program
from labctl.model.lab import Provider

VBOXDRV = Path("/dev/vboxdrv")
_DEADLINE = 10.0


def virtualbox_works(*, ask: AskProgram = ask_program, platform: str = sys.platform, driver: Path = VBOXDRV) -> bool:
    """Whether VirtualBox is installed and its kernel driver is there.

    VBoxManage --version prints a warning, but still the version, where the driver is not loaded; so on Linux the
    driver's device file is looked for as well.
    """
    printed = ask(["VBoxManage", "--version"], _DEADLINE)
    if printed is None or not re.search(r"^\d+\.\d+\.\d+", printed, re.MULTILINE):
        return False
    return not platform.startswith("linux") or driver.exists()


def choose_provider(*, platform: str = sys.platform, works: Callable[[], bool] = virtualbox_works) -> Provider:
    """VirtualBox where it can start a machine, else LXC on Linux. Raises HostError elsewhere."""
    if works():
        return Provider.VIRTUALBOX
    if platform.startswith("linux"):
        return Provider.LXC
    raise HostError(
        "no provider works on this host",
        why="VirtualBox is not installed or does not run, and LXC needs Linux",
        next_step="install VirtualBox and Vagrant, then: labctl up",
    )
