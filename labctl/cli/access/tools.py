"""``labctl kubectl``, ``birdc`` and ``calicoctl``: all words go to the tool, on the machine where it lives."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click
from click.shell_completion import CompletionItem

from labctl.cli.access.passthrough import Streams, run_through
from labctl.cli.access.tool_arguments import prepare_call
from labctl.cli.app import Application, pass_app
from labctl.cli.options import complete_machine
from labctl.facts.bird import birdc as birdc_line

_KUBECONFIG = "KUBECONFIG=/etc/kubernetes/admin.conf"


class ToolCommand(click.Command):
    """A command whose words all belong to the tool, including options, --help and ``--``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words as they are."""
        ctx.params["arguments"] = tuple(args)
        ctx.args = []
        return []


class BirdcCommand(ToolCommand):
    """birdc, whose first word is a machine."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names of the machines, for the first word."""
        given = ctx.params.get("arguments")
        return [] if given else [CompletionItem(name) for name in complete_machine(ctx, incomplete=incomplete)]


@click.command(cls=ToolCommand)
@pass_app
def kubectl(app: Application, arguments: tuple[str, ...]) -> int:
    """Run kubectl on the control plane, as the cluster's administrator. A local file after -f is sent along."""
    return _run_with_file(app, ["env", _KUBECONFIG, "kubectl"], arguments)


@click.command(cls=ToolCommand)
@pass_app
def calicoctl(app: Application, arguments: tuple[str, ...]) -> int:
    """Run calicoctl on the control plane. A local file after -f is sent along."""
    return _run_with_file(app, ["env", _KUBECONFIG, "DATASTORE_TYPE=kubernetes", "calicoctl"], arguments)


@click.command(cls=BirdcCommand, options_metavar="MACHINE [COMMAND]...")
@click.pass_context
@pass_app
def birdc(app: Application, ctx: click.Context, arguments: tuple[str, ...]) -> int:
    """Run birdc on a machine; without a command, open birdc's own prompt."""
    if not arguments or arguments[0].startswith("-"):
        raise click.UsageError("birdc needs a machine first: labctl birdc MACHINE [COMMAND]...", ctx=ctx)
    name, *words = arguments
    lab = app.lab()
    machine = app.machine(lab, name)
    return _run(app, machine.name, birdc_line(machine, lab.source, shlex.join(words)), None if words else app.stdin)


def _run(app: Application, machine: str, command: str, stdin: BinaryIO | None) -> int:
    """Run a shell command on a machine; returns its exit status."""
    with app.connections(app.lab()) as connections:
        streams = Streams(stdin, app.stdout, app.stderr)
        return run_through(connections.to(machine), command, streams, terminal=True)


def _run_with_file(app: Application, command: Sequence[str], arguments: Sequence[str]) -> int:
    """The same on the control plane, for a tool that reads files with -f: a local file becomes its standard input."""
    call = prepare_call(arguments, Path.cwd())
    line = shlex.join([*command, *call.arguments])
    if call.file is not None:
        with call.file.open("rb") as file:
            return _run(app, "controlplane", line, file)
    stdin = app.stdin if call.reads_stdin or (app.stdin.isatty() and app.stdout.isatty()) else None
    return _run(app, "controlplane", line, stdin)
