"""A command of the tour: what a person types with labctl, and what then runs on the machine."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

HOST = "host"
"""In place of a machine's name: the command runs on the host itself."""
_KUBECTL = "env KUBECONFIG=/etc/kubernetes/admin.conf kubectl"
_CALICOCTL = "env KUBECONFIG=/etc/kubernetes/admin.conf DATASTORE_TYPE=kubernetes calicoctl"
_PLAIN = re.compile(r"[\w@%+=:,./ -]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """machine: where it runs. command: a shell command line there. typed: the same as typed on the host."""

    machine: str
    command: str
    typed: str


def kubectl(words: str, machine: str = "controlplane") -> Call:
    """``labctl kubectl …``."""
    return Call(machine, f"{_KUBECTL} {words}", f"labctl kubectl {words}")


def calicoctl(words: str, machine: str = "controlplane") -> Call:
    """``labctl calicoctl …``."""
    return Call(machine, f"{_CALICOCTL} {words}", f"labctl calicoctl {words}")


def birdc(machine: str, words: str) -> Call:
    """``labctl birdc MACHINE …``."""
    return Call(machine, f"birdc {words}", f"labctl birdc {machine} {words}")


def shell(machine: str, line: str) -> Call:
    """``labctl ssh MACHINE -- …``, quoted where the host's shell would read the line otherwise."""
    quoted = line if _PLAIN.fullmatch(line) else shlex.quote(line)
    return Call(machine, line, f"labctl ssh {machine} -- {quoted}")


def on_host(line: str) -> Call:
    """A command on the host."""
    return Call(HOST, line, line)
