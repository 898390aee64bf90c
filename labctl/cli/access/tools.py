"""``labctl ssh``, ``kubectl``, ``birdc`` and ``calicoctl``: run a command on the machine where it belongs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click
from click.shell_completion import CompletionItem

from labctl.cli.access.passthrough import Streams, run_through
from labctl.cli.app import Application, pass_app
from labctl.cli.options import complete_machine
from labctl.errors import UsageError
from labctl.facts.bird import birdc as birdc_line
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


# In these commands -f means something else: "follow" for logs; the words of the command itself for exec.
_OTHER_MEANING = {"logs", "log", "exec"}
_INTERACTIVE = re.compile(r"--(stdin|interactive)(=true)?|-[a-zA-Z]*i[a-zA-Z]*|--?|/dev/stdin|.*=(-|/dev/stdin)|-f-")
# Options of kubectl that take their value as the next word, so that it is not taken for the command.
_TAKES_VALUE = {"-n", "--namespace", "--context", "--cluster", "--user", "--kubeconfig", "-s", "--server", "-v"}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What to run. file: a local file for standard input. reads_stdin: whether the tool reads our standard input."""

    arguments: tuple[str, ...]
    file: Path | None
    reads_stdin: bool


def prepare_call(arguments: Sequence[str], base: Path) -> ToolCall:
    """The call with a local file replaced by standard input. base: what relative file names start from.

    Raises UsageError if more than one local file is named, or a folder.
    """
    own = _before_dashes(arguments)
    places = [] if _command(own) in _OTHER_MEANING else _local_files(own, base)
    if len(places) > 1:
        raise UsageError(
            f"labctl can send only one file, not {len(places)}",
            next_step=f"cat {' '.join(str(place.file) for place in places)} | labctl kubectl … -f -",
        )
    if not places:
        return ToolCall(tuple(arguments), None, any(_INTERACTIVE.fullmatch(word) for word in own))
    place = places[0]
    if not (base / place.file).is_file():
        raise UsageError(
            f"labctl can send only a file, and {place.file} is a folder",
            next_step="run the command for each file in it",
        )
    changed = [*arguments[: place.start], "-f", "-", *arguments[place.end :]]
    return ToolCall(tuple(changed), base / place.file, reads_stdin=False)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where arguments[start:end] names a file."""

    start: int
    end: int
    file: Path


def _local_files(words: Sequence[str], base: Path) -> list[_Place]:
    places = []
    for index, word in enumerate(words):
        if word in {"-f", "--filename"} and index + 1 < len(words):
            place = _Place(index, index + 2, Path(words[index + 1]))
        elif match := re.fullmatch(r"(?:--filename=|-f=?)(.+)", word, re.DOTALL):
            place = _Place(index, index + 1, Path(match.group(1)))
        else:
            continue
        if "\0" not in str(place.file) and (base / place.file).exists():
            places.append(place)
    return places


def _before_dashes(arguments: Sequence[str]) -> list[str]:
    """The tool's own arguments: those before ``--``."""
    words = list(arguments)
    return words[: words.index("--")] if "--" in words else words


def _command(words: Sequence[str]) -> str:
    """The tool's command: its first word that is neither an option nor an option's value."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _TAKES_VALUE:
            skip = True
        elif not word.startswith("-"):
            return word
    return ""


# env(1): "if COMMAND cannot be found".
_NOT_FOUND = 127
_KUBECONFIG = "KUBECONFIG=/etc/kubernetes/admin.conf"


class ToolCommand(click.Command):
    """A command whose words all belong to the tool, including options, --help and ``--``, unless that comes first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words as they are, also after a ``--`` as in `labctl ssh MACHINE -- COMMAND`."""
        ctx.params["arguments"] = tuple(args[1:] if args[:1] == ["--"] else args)
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
    return _run_with_file(app, ["env", _KUBECONFIG, "kubectl"], arguments, step="kubernetes")


@click.command(cls=ToolCommand)
@pass_app
def calicoctl(app: Application, arguments: tuple[str, ...]) -> int:
    """Run calicoctl on the control plane. A local file after -f is sent along."""
    command = ["env", _KUBECONFIG, "DATASTORE_TYPE=kubernetes", "calicoctl"]
    return _run_with_file(app, command, arguments, step="calico")


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


def _run_with_file(app: Application, command: Sequence[str], arguments: Sequence[str], *, step: str) -> int:
    """The same on the control plane, for a tool that reads files with -f: a local file becomes its standard input.

    step: the one that installs the tool.
    """
    call = prepare_call(arguments, Path.cwd())
    line = shlex.join([*command, *call.arguments])
    with call.file.open("rb") if call.file is not None else nullcontext() as file:
        stdin = app.stdin if call.reads_stdin or (app.stdin.isatty() and app.stdout.isatty()) else None
        status = _run(app, "controlplane", line, file or stdin)
    if status == _NOT_FOUND:
        app.note(f"{command[-1]} is installed by the step {step}, which is not done yet: labctl up --until {step}")
    return status
