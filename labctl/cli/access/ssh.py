"""``labctl ssh``."""

from __future__ import annotations

import os
import shutil
import sys

import click

from labctl.cli.access.passthrough import Streams, run_through
from labctl.cli.app import Application, pass_app
from labctl.cli.options import complete_machine
from labctl.model.lab import Lab
from labctl.ssh.access import ssh_access, ssh_options


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-t", "terminal", is_flag=True, help="Give the command a terminal, as ssh -t does.")
@click.argument("machine", shell_complete=complete_machine)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_app
def ssh(app: Application, terminal: bool, machine: str, command: tuple[str, ...]) -> int:
    """Open a shell on a machine, or run one command there: labctl ssh worker1 -- ip route.

    As with ssh, spaces join the words and the machine's shell interprets them. The exit status is the command's.
    """
    lab = app.lab()
    name = app.machine(lab, machine).name
    words = command[1:] if command[:1] == ("--",) else command
    if not words:
        _exec_ssh_client(app, lab, name)
    with app.connections(lab) as connections:
        line = " ".join(words) if words else None
        streams = Streams(app.stdin, app.stdout, app.stderr)
        return run_through(connections.to(name), line, streams, terminal=terminal or not words)


def _exec_ssh_client(app: Application, lab: Lab, machine: str) -> None:
    """Replace this process with the host's ssh client; returns only if the host has none."""
    files = app.lab_files()
    files.require()
    client = shutil.which("ssh")
    if client is None:
        return
    access = ssh_access(lab, lab.machine(machine), files)
    options = [word for option in ssh_options(access) for word in ("-o", option)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(client, [client, "-F", "none", *options, "--", access.address])  # noqa: S606 - no shell is wanted
