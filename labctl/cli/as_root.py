"""LXC needs root: labctl says what it will do with it and asks once, by way of sudo."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.errors import HostError
from labctl.model.lab import Lab, Provider

if TYPE_CHECKING:
    from labctl.cli.app import Application


def become_root(app: Application, lab: Lab, purpose: str, *, more: Sequence[str] = ()) -> None:
    """Go on as root, where the provider needs that: as another user labctl starts itself again under sudo.

    more: options for that second start. Raises HostError where there is no sudo.
    """
    if lab.provider is not Provider.LXC or os.geteuid() == 0:
        return
    sudo = shutil.which("sudo")
    if sudo is None:
        raise HostError(
            f"labctl must be root to {purpose}",
            why="and sudo is not installed",
            next_step="run the same command as root",
        )
    app.note(f"labctl needs root to {purpose}; sudo may ask for your password.")
    kept = [name for name in os.environ if name.startswith("LABCTL_") or name in {"HOME", "PATH", "XDG_CACHE_HOME"}]
    command = [sudo, f"--preserve-env={','.join(kept)}", sys.executable, "-m", "labctl", *sys.argv[1:], *more]
    sys.stderr.flush()
    os.execv(sudo, command)  # noqa: S606 - sudo takes this process's place
