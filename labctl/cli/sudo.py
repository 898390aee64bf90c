"""LXC needs root: labctl says what for, and starts itself again under sudo."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.errors import HostError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab

if TYPE_CHECKING:
    from labctl.cli.app import Application

# Variables to preserve under sudo, besides LABCTL_*.
_PRESERVED = ("HOME", "PATH", "XDG_CACHE_HOME")


def become_root(app: Application, lab: Lab, purpose: str, *, more: Sequence[str] = (), always: bool = False) -> None:
    """Continue as root if the provider needs it: as another user, labctl starts itself again under sudo.

    purpose: what for, after "to". more: options for the second start. always: whatever the provider.
    Raises HostError if there is no sudo.
    """
    if not lab.provider.traits.needs_root and not always:
        return
    if app.host.is_root:
        _return_files_at_exit(app)
        return
    sudo = app.host.find("sudo")
    if sudo is None:
        raise HostError(
            f"labctl must be root to {purpose}",
            why="sudo is not installed",
            next_step="run the same command as root",
        )
    app.note(f"labctl needs root to {purpose}; sudo may ask for your password.")
    preserved = [name for name in app.host.environment if name.startswith("LABCTL_") or name in _PRESERVED]
    command = [sudo, f"--preserve-env={','.join(preserved)}", sys.executable, "-m", "labctl", *sys.argv[1:], *more]
    sys.stderr.flush()
    os.execv(sudo, command)  # noqa: S606 - sudo takes this process's place


def _return_files_at_exit(app: Application) -> None:
    """Under sudo: when this command ends, however it ends, give the lab's files to the user who called sudo."""
    user, group = (app.host.environment.get(name, "") for name in ("SUDO_UID", "SUDO_GID"))
    context = click.get_current_context(silent=True)
    if context is not None and user.isdigit() and group.isdigit() and user != "0":
        files = app.lab_files()
        context.call_on_close(lambda: give_files(files, int(user), int(group)))


def give_files(files: LabDirectory, user: int, group: int) -> None:
    """Give the lab's files to a user, so that no later command needs root to read the lab's key or to write a log.

    Two things stay root's: Vagrant's own data, and the files that sshd on the machines trusts. ``authorized_keys`` and
    host keys are mounted into the containers, and sshd requires root to own them (sshd_config(5), StrictModes).
    """
    excluded = {files.folder / ".vagrant", files.vagrant_home}
    trusted = files.ssh_key.parent
    for folder, folders, names in os.walk(files.folder):
        here = Path(folder)
        os.chown(here, user, group, follow_symlinks=False)
        folders[:] = [name for name in folders if here / name not in excluded and here != trusted]
        for name in names:
            os.chown(here / name, user, group, follow_symlinks=False)
