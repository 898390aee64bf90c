"""Which software runs in the lab: the programs' own words, asked on ingress and on the control plane."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labctl.checks.ask_machine import RemoteMachines
from labctl.errors import RemoteError
from labctl.model.lab import Lab

_DEADLINE = 8.0
_INGRESS = {
    "system": ". /etc/os-release && echo $PRETTY_NAME",
    "kernel": "uname -r",
    "BIRD": "bird --version 2>&1",
    "HAProxy": "haproxy -v",
}
_CONTROLPLANE = {
    "Kubernetes": "kubelet --version",
    "containerd": "containerd --version",
    "runc": "runc --version",
    "etcd": "etcd --version",
    "calicoctl": "calicoctl version 2>/dev/null",
}
_NUMBER = re.compile(r"\bv?\d+\.\d+[\w.+:~-]*")


@dataclass(frozen=True, slots=True)
class Version:
    """A program and its version; version is empty where it did not say."""

    name: str
    version: str


def versions(lab: Lab, remote: RemoteMachines) -> tuple[Version, ...]:
    """Ask for the versions; a machine that does not answer leaves gaps."""
    asked = ((lab.ingress.name, _INGRESS), (lab.controlplane.name, _CONTROLPLANE))
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = pool.map(lambda one: read_versions(_ask(remote, *one), one[1]), asked)
        return tuple(version for answer in answers for version in answer)


def read_versions(text: str, questions: Mapping[str, str]) -> list[Version]:
    """What the first line of each answer says; the answers are separated by lines with a single form feed."""
    answers = [answer.strip().splitlines() for answer in text.split("\f")]
    lines = [answer[0] if answer else "" for answer in answers]
    lines += [""] * (len(questions) - len(lines))
    return [Version(name, _number(name, line)) for name, line in zip(questions, lines, strict=False)]


def _number(name: str, line: str) -> str:
    """The version alone, where the line is longer: `etcd Version: 3.5.16`; calicoctl's line says whether it is real."""
    if name in ("system", "kernel"):
        return line
    if name == "calicoctl":
        return line.partition(":")[2].strip() or line
    found = _NUMBER.search(line)
    return found.group() if found else ""


def _ask(remote: RemoteMachines, machine: str, questions: Mapping[str, str]) -> str:
    line = r"; printf '\f\n'; ".join(f"( {question} ) 2>/dev/null" for question in questions.values())
    try:
        return remote.to(machine).run(line, deadline=_DEADLINE).stdout
    except RemoteError:
        return ""
