"""Keeps one machine's follower going, over labctl's kept-open SSH connection, and notes what it says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

from labctl.checks.frames import INTERPRETER, read_frame
from labctl.errors import RemoteError
from labctl.model.lab import Lab, Machine
from labctl.watch.latest import Latest
from labctl.watch.questions import program, questions_for

LOOK_SECONDS = 0.3
"""Between two looks at the same fact."""
SILENCE_SECONDS = 2.5
"""A machine that says nothing for so long does not answer."""
AGAIN_SECONDS = 0.7
"""Before a machine that does not answer is called again."""


class FollowedMachine(Protocol):
    """One machine (labctl.ssh.connections.Connection)."""

    def lines(self, command: str, *, silence: float, stdin: bytes = b"") -> Iterator[str]:
        """The lines that a command prints; raises RemoteError."""

    def close(self) -> None:
        """Drop the connection."""


class FollowedMachines(Protocol):
    """The machines by name (labctl.ssh.connections.Connections)."""

    def to(self, machine: str, /) -> FollowedMachine:
        """The machine of that name; raises RemoteError if it can't be reached."""


def follow(lab: Lab, machine: Machine, remote: FollowedMachines, latest: Latest, end: threading.Event) -> None:
    """Follow one machine until the end is set; a machine that does not answer is called again and again."""
    questions = questions_for(lab, machine)
    text = program(questions, LOOK_SECONDS)
    commands = {question.name: question.words for question in questions}
    while not end.is_set():
        try:
            connection = remote.to(machine.name)
            try:
                for line in connection.lines(INTERPRETER, silence=SILENCE_SECONDS, stdin=text):
                    _note(machine.name, line, commands, latest)
                    if end.is_set():
                        return
            except RemoteError:
                connection.close()  # nobody else should wait for a machine that has fallen silent
                raise
            latest.lost(machine.name, "python3 ended there")
        except RemoteError as error:
            latest.lost(machine.name, f"{error.what}: {error.why}" if error.why else error.what)
        end.wait(AGAIN_SECONDS)


def _note(machine: str, line: str, commands: dict[str, str], latest: Latest) -> None:
    if line == "labctl-alive":
        latest.alive(machine)
    elif line.startswith("labctl-probe "):
        found = read_frame(line.partition(" ")[2], commands)
        if found:
            latest.answered(machine, *found)
