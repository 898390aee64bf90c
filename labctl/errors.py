"""Every error that labctl raises on purpose: one base class and a few subclasses, each with its exit code.

Only the command line turns an error into text (``labctl/cli/errors.py``), so an error carries its parts: what
happened, where, why, and what to type next.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes that labctl promises."""

    OK = 0
    FAILED = 1
    USAGE = 2
    HOST = 3
    LOCKED = 4
    INTERRUPTED = 130


class LabctlError(Exception):
    """Base class of all errors of labctl.

    what: one sentence, what happened. where: machine, file or step. why: the cause, or the last lines of output.
    next_step: the command to type, or what to change.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, where: str = "", why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next_step = next_step


class ConfigError(LabctlError):
    """labctl.yaml is invalid. problems: every error in it, each ready to print."""

    exit_code = ExitCode.USAGE

    def __init__(self, what: str, *, problems: Sequence[str] = (), where: str = "", next_step: str = "") -> None:
        super().__init__(what, where=where, next_step=next_step)
        self.problems = tuple(problems)


class UsageError(LabctlError):
    """The command line is invalid."""

    exit_code = ExitCode.USAGE


class HostError(LabctlError):
    """The host lacks something, or there is no lab here."""

    exit_code = ExitCode.HOST


class LockedError(LabctlError):
    """Another labctl is working on this lab."""

    exit_code = ExitCode.LOCKED


class RemoteError(LabctlError):
    """A machine could not be reached over SSH, or a command on it exceeded its deadline."""


class StepError(LabctlError):
    """A step, or the check after it, failed on a machine."""


class CacheError(LabctlError):
    """Something that a lab needs could not be downloaded into a cache."""


class BoxError(LabctlError):
    """The box could not be built."""
