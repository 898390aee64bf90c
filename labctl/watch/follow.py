"""Follow each machine: over one SSH connection, a program there sends every fact that changes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from importlib import resources
from typing import Protocol

from labctl.checks.facts import Facts, MachineFacts, unasked
from labctl.checks.round_trip import INTERPRETER, read_frame
from labctl.errors import RemoteError
from labctl.facts.haproxy import HAPROXY_SOCKET
from labctl.facts.kubernetes import API_PATHS, API_PORT
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Machine, Role

BIRD_SOCKET = "/run/bird/bird.ctl"
_OBJECTS = ("version", "nodes", "pods", "services", "endpoints", "ingresses", "blockaffinities")


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to follow. name: the probe's. kind, place, words: see follower.py."""

    name: str
    kind: str
    place: str
    words: str


def questions_for(lab: Lab, machine: Machine) -> tuple[Question, ...]:
    """What is followed there; nothing on a worker, beyond whether it answers."""
    if machine.role is Role.INGRESS:
        return (
            Question("protocols", "bird", BIRD_SOCKET, "show protocols all"),
            Question("routes", "kernel", "/proc/net/route", "ip -json route"),
            Question("haproxy-status", "haproxy", HAPROXY_SOCKET, "show stat"),
        )
    if machine is lab.router:
        return (
            Question("protocols", "bird", BIRD_SOCKET, "show protocols all"),
            Question("routes", "kernel", "/proc/net/route", "ip -json route"),
        )
    if machine is lab.controlplane:
        paths = " ".join(API_PATHS[name] for name in _OBJECTS)
        return (Question("api", "api", f"https://{machine.address}:{API_PORT}", paths),)
    return ()


def program(questions: tuple[Question, ...], pause: float) -> bytes:
    """The Python program for the machine's `python3 -IS -`."""
    source = resources.files("labctl.watch").joinpath("follower.py").read_text(encoding="utf-8")
    wanted = json.dumps([astuple(question) for question in questions])
    return f"{source}\n\nmain(json.loads({wanted!r}), {pause!r})\n".encode()


class Latest:
    """What each machine said last. Every method may be called from any thread."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._machines = {machine.name: MachineFacts(machine.name, "not asked yet") for machine in lab.machines}
        self._changed = threading.Condition()
        self._version = 0

    def answered(self, machine: str, probe: str, result: CommandResult) -> None:
        """A machine said something new."""
        with self._changed:
            results = {**self._machines[machine].results, probe: result}
            self._put(MachineFacts(machine, "", results))

    def alive(self, machine: str) -> None:
        """A machine answers."""
        with self._changed:
            if not self._machines[machine].reachable:
                self._put(MachineFacts(machine))

    def lost(self, machine: str, why: str) -> None:
        """A machine does not answer any more: what it said is forgotten."""
        with self._changed:
            if self._machines[machine].error != why:
                self._put(MachineFacts(machine, why))

    def wait(self, version: int, seconds: float) -> int:
        """Wait until there is something newer than that version, seconds at most; the version now."""
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout=max(0.0, until - time.monotonic()))
            return self._version

    def facts(self) -> Facts:
        """All that is known now, in verify's form."""
        with self._changed:
            machines = dict(self._machines)
        return replace(unasked(self._lab), machines=machines)

    @property
    def all_known(self) -> bool:
        """Whether every machine has answered, or is known not to."""
        with self._changed:
            return not any(facts.error == "not asked yet" for facts in self._machines.values())

    def _put(self, facts: MachineFacts) -> None:
        self._machines[facts.name] = facts
        self._version += 1
        self._changed.notify_all()


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
