"""Running a tool where it lives: on a machine, with this terminal's streams and its exit status."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import HostError

if TYPE_CHECKING:
    from labctl.cli.app import Application
    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab

# For commands whose options belong to another program.
TOOL_SETTINGS: dict[str, object] = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
    "allow_interspersed_args": False,
}


def run_on(app: Application, lab: Lab, machine: str, command: str, *, stdin: bool = True) -> int:
    """Run a shell command line on a machine, streams passed through; returns its exit status."""
    from labctl.remote.stream import stream_command

    with app.connections(lab) as connections:
        return stream_command(
            connections.to(machine),
            command,
            stdin=app.stdin if stdin else None,
            stdout=app.stdout,
            stderr=app.stderr,
        )


def run_tool(app: Application, lab: Lab, machine: str, words: Sequence[str], *, environment: str = "") -> int:
    """Run a program with exactly these words on a machine; a local file named by -f is sent along."""
    arguments, content = _with_local_file(list(words))
    command = f"{environment} {shlex.join(arguments)}".strip()
    if content is None:
        return run_on(app, lab, machine, command, stdin=_reads_stdin(arguments))
    return _run_with(app, lab, machine, command, content)


def shell_on(app: Application, files: LabDirectory, lab: Lab, machine: str) -> None:
    """Replace this process by an interactive ssh to the machine. Raises HostError where ssh is not installed."""
    from labctl.cli.ssh_config import options_for

    files.require()
    ssh = shutil.which("ssh")
    if ssh is None:
        raise HostError(
            "an interactive shell needs the ssh program",
            next_step=f"apt install openssh-client, or run one command: labctl ssh {machine} -- hostname",
        )
    options = [part for option in options_for(files, lab, machine) for part in ("-o", option)]
    sys.stdout.flush()
    os.execv(ssh, [ssh, *options, machine])


def _reads_stdin(arguments: Sequence[str]) -> bool:
    """Whether standard input is for the tool: it says so (-f -, -i), or there is something in the pipe."""
    wanted = {"-", "-i", "-it", "-ti", "--stdin", "--filename=-", "-f-"}
    return bool(wanted.intersection(arguments)) or not sys.stdin.isatty()


def _with_local_file(arguments: list[str]) -> tuple[list[str], bytes | None]:
    """The arguments with the one local file after -f replaced by ``-``, and its content.

    The tool runs on a machine that does not have this host's files. Raises HostError for more than one, or a folder.
    """
    places = [
        (index + 1, "", arguments[index + 1])
        for index, word in enumerate(arguments[:-1])
        if word in {"-f", "--filename"}
    ]
    places += [
        (index, "--filename=", word.removeprefix("--filename="))
        for index, word in enumerate(arguments)
        if word.startswith("--filename=")
    ]
    local = [place for place in places if Path(place[2]).exists()]
    if not local:
        return arguments, None
    if len(local) > 1 or not Path(local[0][2]).is_file():
        raise HostError(
            "only one local file can be sent along",
            why="the tool runs on the control plane, which does not have this host's files",
            next_step="cat FILE… | labctl kubectl apply -f -",
        )
    index, prefix, name = local[0]
    content = Path(name).read_bytes()
    return [*arguments[:index], f"{prefix}-", *arguments[index + 1 :]], content


def _run_with(app: Application, lab: Lab, machine: str, command: str, content: bytes) -> int:
    import io

    from labctl.remote.stream import stream_command

    with app.connections(lab) as connections:
        return stream_command(
            connections.to(machine), command, stdin=io.BytesIO(content), stdout=app.stdout, stderr=app.stderr
        )
