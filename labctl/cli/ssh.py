"""``labctl ssh``."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.complete import machine_names

if TYPE_CHECKING:
    from labctl.model.lab import Lab


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-t", "terminal", is_flag=True, help="Give the command a terminal, as ssh -t does.")
@click.argument("machine", shell_complete=machine_names)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_app
def ssh(app: Application, terminal: bool, machine: str, command: tuple[str, ...]) -> int:
    """Open a shell on a machine, or run one command there: labctl ssh worker1 -- ip route.

    As with ssh, the words are joined by spaces and read by the machine's shell; the exit status is the command's.
    """
    lab = app.lab()
    name = app.machine(lab, machine).name
    words = command[1:] if command[:1] == ("--",) else command
    if not words:
        _become_ssh(app, lab, name)
    from labctl.cli.passthrough import Streams, run_through

    with app.connections(lab) as connections:
        line = " ".join(words) if words else None
        streams = Streams(app.stdin, app.stdout, app.stderr)
        return run_through(connections.to(name), line, streams, terminal=terminal or not words)


def _become_ssh(app: Application, lab: Lab, machine: str) -> None:
    """Replace labctl by the host's own ssh client for a shell; returns only where the host has none."""
    from labctl.cli.access import ssh_access
    from labctl.cli.ssh_config import ssh_options

    files = app.lab_files()
    files.require()
    client = shutil.which("ssh")
    if client is None:
        return
    access = ssh_access(lab, lab.machine(machine), files)
    options = [word for option in ssh_options(access) for word in ("-o", option)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(client, [client, "-F", "none", *options, "--", access.address])  # noqa: S606 - meant: no shell in between
