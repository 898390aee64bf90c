"""Follow each machine: over one SSH connection, a program there (follower.py) sends every fact that changes."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import astuple, dataclass, replace
from importlib import resources

from labctl.checks.facts import Facts, MachineFacts, empty_facts
from labctl.checks.round_trip import INTERPRETER, read_frame
from labctl.errors import RemoteError
from labctl.facts.haproxy import HAPROXY_SOCKET
from labctl.facts.kubernetes import API_PORT, api_paths
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Machine, Role
from labctl.ssh.connections import Connections

BIRD_SOCKET = "/run/bird/bird.ctl"
_NOT_ASKED = "not asked yet"
_OBJECTS = ("version", "nodes", "pods", "services", "endpoints", "ingresses", "blockaffinities")


@dataclass(frozen=True, slots=True)
class Query:
    """A fact to follow. name: the fact's. kind, address, text: see follower.py."""

    name: str
    kind: str
    address: str
    text: str


def queries_for(lab: Lab, machine: Machine) -> tuple[Query, ...]:
    """What is followed on a machine; of a worker only whether it answers."""
    routing = (
        Query("protocols", "bird", BIRD_SOCKET, "show protocols all"),
        Query("routes", "kernel", "/proc/net/route", "ip -json route"),
    )
    if machine.role is Role.INGRESS:
        return (*routing, Query("haproxy-status", "haproxy", HAPROXY_SOCKET, "show stat"))
    if machine is lab.router:
        return routing
    if machine is lab.controlplane:
        paths = " ".join(api_paths(lab.calico_api)[name] for name in _OBJECTS)
        return (Query("api", "api", f"https://{machine.address}:{API_PORT}", paths),)
    return ()


def program(queries: tuple[Query, ...], pause: float) -> bytes:
    """The Python program for the machine's `python3 -IS -`."""
    source = resources.files("labctl.watch").joinpath("follower.py").read_text(encoding="utf-8")
    arguments = json.dumps([astuple(query) for query in queries])
    return f"{source}\n\nmain(json.loads({arguments!r}), {pause!r})\n".encode()


class LatestFacts:
    """The latest facts of each machine. Every method may be called from any thread."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._machines = {machine.name: MachineFacts(machine.name, _NOT_ASKED) for machine in lab.machines}
        self._changed = threading.Condition()
        self._version = 0

    def put(self, machine: str, fact: str, result: CommandResult) -> None:
        """A fact of a machine has changed."""
        with self._changed:
            results = {**self._machines[machine].results, fact: result}
            self._replace(MachineFacts(machine, "", results))

    def mark_reachable(self, machine: str) -> None:
        """A machine answers."""
        with self._changed:
            if not self._machines[machine].reachable:
                self._replace(MachineFacts(machine))

    def mark_unreachable(self, machine: str, why: str) -> None:
        """A machine no longer answers: its facts are removed."""
        with self._changed:
            if self._machines[machine].error != why:
                self._replace(MachineFacts(machine, why))

    def wait(self, version: int, seconds: float) -> int:
        """Wait until the facts are newer than that version, for at most so many seconds. Returns their version."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout=max(0.0, deadline - time.monotonic()))
            return self._version

    def facts(self) -> Facts:
        """All facts that are known now, for checks and pictures."""
        with self._changed:
            machines = dict(self._machines)
        return replace(empty_facts(self._lab), machines=machines)

    @property
    def all_known(self) -> bool:
        """Whether every machine has answered or is known to be unreachable."""
        with self._changed:
            return not any(facts.error == _NOT_ASKED for facts in self._machines.values())

    def _replace(self, facts: MachineFacts) -> None:
        self._machines[facts.name] = facts
        self._version += 1
        self._changed.notify_all()


POLL_SECONDS = 0.3
"""How often a fact is checked for changes."""
SILENCE_SECONDS = 2.5
"""A machine that sends nothing for so long counts as unreachable."""
RECONNECT_SECONDS = 0.7
"""Pause before connecting again to a machine that did not answer."""


def follow(lab: Lab, machine: Machine, remote: Connections, latest: LatestFacts, end: threading.Event) -> None:
    """Follow one machine until ``end`` is set. Connects again whenever it does not answer."""
    queries = queries_for(lab, machine)
    source = program(queries, POLL_SECONDS)
    commands = {query.name: query.text for query in queries}
    while not end.is_set():
        try:
            connection = remote.to(machine.name)
            try:
                for line in connection.lines(INTERPRETER, silence=SILENCE_SECONDS, stdin=source):
                    _record(machine.name, line, commands, latest)
                    if end.is_set():
                        return
            except RemoteError:
                connection.close()  # so that nothing else waits for a machine that went silent
                raise
            latest.mark_unreachable(machine.name, "the program that follows the machine ended")
        except RemoteError as error:
            latest.mark_unreachable(machine.name, f"{error.what}: {error.why}" if error.why else error.what)
        end.wait(RECONNECT_SECONDS)


def _record(machine: str, line: str, commands: dict[str, str], latest: LatestFacts) -> None:
    if line == "labctl-alive":
        latest.mark_reachable(machine)
    elif line.startswith("labctl-probe "):
        frame = read_frame(line.partition(" ")[2], commands)
        if frame:
            latest.put(machine, *frame)
