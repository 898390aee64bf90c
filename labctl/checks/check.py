"""A check: what is asked, of which machine, what it needs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.checks.facts import Facts
    from labctl.model.lab import Lab


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


class Status(StrEnum):
    """What came of a check. blocked: something that it needs is broken, so it tells nothing new."""

    PASS = "pass"  # noqa: S105  (a word of the report, not a password)
    FAIL = "fail"
    BLOCKED = "blocked"
    SKIPPED = "skipped"


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
    """One check.

    id: layer, subject, and what it is about, with dots. machine: whose state is looked at (`host` for the host
    itself). needs: ids without which the check tells nothing. explained_by: ids that are to blame if they fail too;
    they do not keep the check from passing. command: what a person types on that machine to see the same. probe: the
    question (probes.py) whose duration is the check's. stand_in: its subject stands in for software that Debian
    lacks.
    """

    id: str
    layer: Layer
    machine: str
    title: str
    expected: str
    command: str
    run: Callable[[Facts, Lab], Outcome]
    needs: tuple[str, ...] = ()
    explained_by: tuple[str, ...] = ()
    probe: str = ""
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check and what came of it.

    needs: what blocks it stands first. seconds: what its question took on the machine.
    """

    check: Check
    outcome: Outcome
    needs: tuple[str, ...]
    seconds: float

    @property
    def id(self) -> str:
        """The check's id."""
        return self.check.id

    @property
    def status(self) -> Status:
        """What came of it."""
        return self.outcome.status


def listed(words: Iterable[object], *, most: int = 6) -> str:
    """Words with commas, the first few of them; the rest as a number."""
    texts = [str(word) for word in words]
    if len(texts) <= most:
        return ", ".join(texts)
    return ", ".join(texts[:most]) + f" and {len(texts) - most} more"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 pod`, `5 pods`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
