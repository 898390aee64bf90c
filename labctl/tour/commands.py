"""A command of the tour, what it printed, and what a stop claims about that."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from labctl.facts.bird import birdc as birdc_line
from labctl.model.lab import Lab, Machine

HOST = "host"
"""Takes the place of a machine's name: the command runs on the host."""
_KUBECTL = "env KUBECONFIG=/etc/kubernetes/admin.conf kubectl"
_CALICOCTL = "env KUBECONFIG=/etc/kubernetes/admin.conf DATASTORE_TYPE=kubernetes calicoctl"
_NEEDS_NO_QUOTES = re.compile(r"[\w@%+=:,./ -]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Command:
    """A command. machine: where it runs. line: the command line there. typed: what a user types on the host."""

    machine: str
    line: str
    typed: str


def kubectl(words: str, machine: str = "controlplane") -> Command:
    """``labctl kubectl …``."""
    return Command(machine, f"{_KUBECTL} {words}", f"labctl kubectl {words}")


def calicoctl(words: str, machine: str = "controlplane") -> Command:
    """``labctl calicoctl …``."""
    return Command(machine, f"{_CALICOCTL} {words}", f"labctl calicoctl {words}")


def birdc(lab: Lab, machine: Machine, words: str) -> Command:
    """``labctl birdc MACHINE …``."""
    return Command(machine.name, birdc_line(machine, lab.source, words), f"labctl birdc {machine.name} {words}")


def shell(machine: str, line: str) -> Command:
    """``labctl ssh MACHINE -- …``, quoted where the host's shell would read the line otherwise."""
    quoted = line if _NEEDS_NO_QUOTES.fullmatch(line) else shlex.quote(line)
    return Command(machine, line, f"labctl ssh {machine} -- {quoted}")


def on_host(line: str) -> Command:
    """A command on the host."""
    return Command(HOST, line, line)


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """A command that has run. marks: regular expressions for the parts of its output to highlight, each in a line."""

    typed: str
    output: str
    marks: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What a stop claims, and whether it holds. seen: what was observed, briefly."""

    text: str
    holds: bool
    seen: str = ""
