"""LXC needs root: labctl says what it will do with it and asks once, by way of sudo."""

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

# Variables that labctl needs under sudo, beside its own.
_PASSED_ON = ("HOME", "PATH", "XDG_CACHE_HOME")


def become_root(app: Application, lab: Lab, purpose: str, *, more: Sequence[str] = (), always: bool = False) -> None:
    """Go on as root, where the provider needs that: as another user labctl starts itself again under sudo.

    more: options for that second start. always: whatever the provider. Raises HostError where there is no sudo.
    """
    if not lab.provider.traits.needs_root and not always:
        return
    if app.host.is_root:
        _give_back_at_the_end(app)
        return
    sudo = app.host.find("sudo")
    if sudo is None:
        raise HostError(
            f"labctl must be root to {purpose}",
            why="and sudo is not installed",
            next_step="run the same command as root",
        )
    app.note(f"labctl needs root to {purpose}; sudo may ask for your password.")
    passed_on = [name for name in app.host.environment if name.startswith("LABCTL_") or name in _PASSED_ON]
    command = [sudo, f"--preserve-env={','.join(passed_on)}", sys.executable, "-m", "labctl", *sys.argv[1:], *more]
    sys.stderr.flush()
    os.execv(sudo, command)  # noqa: S606 - sudo takes this process's place


def _give_back_at_the_end(app: Application) -> None:
    """Under sudo: when this command ends, however it ends, the lab's files belong to whoever called sudo."""
    user, group = (app.host.environment.get(name, "") for name in ("SUDO_UID", "SUDO_GID"))
    context = click.get_current_context(silent=True)
    if context is not None and user.isdigit() and group.isdigit() and user != "0":
        files = app.lab_files()
        context.call_on_close(lambda: give_files(files, int(user), int(group)))


def give_files(files: LabDirectory, user: int, group: int) -> None:
    """Give a user the lab's files, so that no later command needs root to read the lab's key or to write a log.

    What must stay root's stays: Vagrant's own data, and what sshd on the machines trusts (``authorized_keys`` and host
    keys are bound into the containers, and sshd wants root to own them: sshd_config(5), StrictModes).
    """
    kept = {files.folder / ".vagrant", files.vagrant_home}
    trusted = files.ssh_key.parent
    for folder, folders, names in os.walk(files.folder):
        here = Path(folder)
        os.chown(here, user, group, follow_symlinks=False)
        folders[:] = [name for name in folders if here / name not in kept and here != trusted]
        for name in names:
            os.chown(here / name, user, group, follow_symlinks=False)
