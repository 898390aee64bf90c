"""A check: its id, what it shows, what it needs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.checks.facts import Facts
    from labctl.facts.fact import AnyFact

HOST = "host"
"""The machine of a check that looks at this host itself."""


class Layer(StrEnum):
    """The layers, bottom up."""

    HOST = "host"
    MACHINE = "machine"
    CLUSTER = "cluster"
    CALICO = "calico"
    BGP = "bgp"
    ROUTE = "route"
    PROXY = "proxy"
    HTTP = "http"

    def check(self, subject: str = "", machine: str = "") -> CheckId:
        """The id of a check of this layer."""
        return CheckId(self, subject, machine)


@dataclass(frozen=True, slots=True, order=True)
class CheckId:
    """Which check: `bgp.ingress.worker1`. Two ids are equal if their texts are.

    subject: what it looks at, in its layer; may be empty. machine: the machine, or the pod, that it is about; may be
    empty.
    """

    layer: Layer = field(compare=False)
    subject: str = field(default="", compare=False)
    machine: str = field(default="", compare=False)
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        words = (self.layer.value, self.subject, self.machine)
        object.__setattr__(self, "_text", ".".join(word for word in words if word))

    def __str__(self) -> str:
        return self._text

    @classmethod
    def parse(cls, text: str) -> CheckId:
        """The id with that text, for input from outside. Raises ValueError if it does not begin with a layer."""
        layer, _, rest = text.partition(".")
        subject, _, machine = rest.rpartition(".")
        return cls(Layer(layer), subject, machine)


class Status(StrEnum):
    """What came of a check. blocked: something that it needs is broken, so its own result says nothing new."""

    PASS = "pass"  # noqa: S105  (a word of the report, not a password)
    FAIL = "fail"
    BLOCKED = "blocked"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a failure means, for --explain.

    symptom: what a user notices. reason: how the parts work together. repair: what fixes it.
    """

    symptom: str
    reason: str
    repair: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a check fails, found by looking. text: one line. hint: the command to type next."""

    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found. observed: one line, in the words of the tool that was asked."""

    status: Status
    observed: str
    cause: str = ""
    hint: str = ""


def passed(observed: str) -> Outcome:
    """The check holds."""
    return Outcome(Status.PASS, observed)


def failed(observed: str, cause: Cause | str = "", hint: str = "") -> Outcome:
    """The check does not hold."""
    if isinstance(cause, Cause):
        return Outcome(Status.FAIL, observed, cause.text, cause.hint or hint)
    return Outcome(Status.FAIL, observed, cause, hint)


def skipped(reason: str) -> Outcome:
    """The check does not apply here."""
    return Outcome(Status.SKIPPED, reason)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one lab.

    machine: whose state is looked at (HOST for the host itself). needs: checks without which this one says nothing.
    explained_by: checks that are to blame if they fail, too; they do not keep this one from passing. command: what a
    person types on that machine to see the same. fact: the question whose duration is the check's. stand_in: its
    subject stands in for software that Debian lacks. about: names of the machines and pods that it is about.
    """

    id: CheckId
    machine: str
    title: str
    expected: str
    command: str
    run: Callable[[Facts], Outcome]
    lesson: Lesson
    needs: tuple[CheckId, ...] = ()
    explained_by: tuple[CheckId, ...] = ()
    fact: AnyFact | None = None
    stand_in: bool = False
    about: frozenset[str] = frozenset()

    @property
    def layer(self) -> Layer:
        """The layer that it belongs to."""
        return self.id.layer


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check and what came of it.

    needs: what blocks it comes first. seconds: how long its question took on the machine.
    """

    check: Check
    outcome: Outcome
    needs: tuple[CheckId, ...]
    seconds: float

    @property
    def id(self) -> CheckId:
        """The check's id."""
        return self.check.id

    @property
    def status(self) -> Status:
        """What came of it."""
        return self.outcome.status


def listed(words: Iterable[object], *, most: int = 6) -> str:
    """Words joined by commas: the first few, then how many more there are."""
    texts = [str(word) for word in words]
    if len(texts) <= most:
        return ", ".join(texts)
    return ", ".join(texts[:most]) + f" and {len(texts) - most} more"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 pod`, `5 pods`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
