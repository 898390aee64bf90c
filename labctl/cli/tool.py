"""Commands that hand all their words on to a tool on a machine: kubectl, birdc, calicoctl."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from labctl.cli.app import Application


class ToolCommand(click.Command):
    """A command whose words all belong to the tool, options and --help and ``--`` too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words as they are."""
        ctx.params["arguments"] = tuple(args)
        ctx.args = []
        return []


def run_tool(app: Application, machine: str, command: Sequence[str], stdin: BinaryIO | None) -> int:
    """Run a program with exactly these arguments on a machine; returns its exit status."""
    from labctl.cli.passthrough import Streams, run_through

    with app.connections(app.lab()) as connections:
        streams = Streams(stdin, app.stdout, app.stderr)
        return run_through(connections.to(machine), shlex.join(command), streams, terminal=True)


def run_with_file(app: Application, machine: str, command: Sequence[str], arguments: Sequence[str]) -> int:
    """The same for a tool that reads files with -f: one that is here is sent there; returns its exit status."""
    from pathlib import Path

    from labctl.cli.tool_arguments import prepare_call

    call = prepare_call(arguments, Path.cwd())
    words = [*command, *call.arguments]
    if call.file is not None:
        with call.file.open("rb") as file:
            return run_tool(app, machine, words, file)
    stdin = app.stdin if call.reads_stdin or (app.stdin.isatty() and app.stdout.isatty()) else None
    return run_tool(app, machine, words, stdin)
