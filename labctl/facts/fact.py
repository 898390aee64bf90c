"""A fact: one question to a machine, its time limit, and how to read the answer.

Standard library only: this file also runs on the machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

    from labctl.model.lab import Lab, Machine, Role

T_co = TypeVar("T_co", covariant=True)
CONNECT_SECONDS = 1.0
"""Until a connection stands: a kernel takes it within milliseconds, however busy its programs are."""
ANSWER_SECONDS = 1.2
"""Until a program has answered over the network: milliseconds, where the host has a processor to spare."""
API_SECONDS = 1.5
"""For all questions of the Kubernetes API together: one that has lost etcd answers each of them late."""


class ParseError(ValueError):
    """The output of a command is not what that command prints."""


class Fact(Generic[T_co]):
    """One question to a machine. A fact without parameters is used as a class: ``facts.on("worker1")[Routes]``.

    name: the key under which the answer is recorded; two facts may read the same answer. command: the shell command
    line, where it is the same on every machine. roles: of the machines that are asked; None: all. deadline: seconds
    that it may take on a host that is not busy. may_fail: whether a command that fails without output has answered too.
    """

    name: str = ""
    command: str = ""
    roles: Collection[Role] | None = None
    deadline: float = 4.0
    may_fail: bool = False

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """The command line for this machine. patience: how many times longer than usual a daemon may take."""
        return self.command

    def deadline_on(self, lab: Lab, machine: Machine) -> float:
        """The deadline on this machine, seconds."""
        return self.deadline

    def asked_on(self, lab: Lab, machine: Machine) -> bool:
        """Whether this machine is asked at all."""
        return self.roles is None or machine.role in self.roles

    def parse(self, output: str) -> T_co:
        """What the output says. Raises ParseError."""
        raise NotImplementedError


class TextFact(Fact[str]):
    """A fact that is its command's output, as it is."""

    def parse(self, output: str) -> str:
        """The output."""
        return output


AnyFact = type[Fact[Any]] | Fact[Any]


def curl(patience: float) -> tuple[str, ...]:
    """The words of a curl that waits as long as verify does. patience: how many times longer than usual."""
    return (
        *("curl", "-sS"),
        *("--connect-timeout", f"{CONNECT_SECONDS * patience:.3g}"),
        *("--max-time", f"{ANSWER_SECONDS * patience:.3g}"),
    )
