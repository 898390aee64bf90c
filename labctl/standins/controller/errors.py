"""The stand-in's errors: one root, so that the loop can log them and go on."""

from __future__ import annotations


class ControllerError(Exception):
    """Root of what goes wrong on purpose; the message is one sentence, ready for the log."""


class FlagError(ControllerError):
    """A flag is unknown, not supported by the stand-in, or has a wrong value."""


class RefusedValueError(ControllerError):
    """A value from the API cannot be written into HAProxy's configuration safely."""


class ConfigurationError(ControllerError):
    """HAProxy does not accept a configuration; it was not loaded."""


class RuntimeApiError(ControllerError):
    """HAProxy's runtime API did not answer in time, or refused a command."""


class ProcessError(ControllerError):
    """HAProxy could not be started or reloaded."""


class ApiError(ControllerError):
    """The Kubernetes API could not be reached, or refused a request."""


class GoneError(ApiError):
    """The API no longer has the history that a watch asked for (HTTP 410): list again."""
