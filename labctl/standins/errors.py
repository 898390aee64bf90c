"""The errors of the stand-ins: one root, so that their loops can log them and go on."""

from __future__ import annotations


class StandInError(Exception):
    """Root of every expected failure. The message is one sentence, ready for the log."""


class ApiError(StandInError):
    """The Kubernetes API cannot be reached, or it refused a request. status: HTTP's, 0 if there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotFoundError(ApiError):
    """The API has no such object, or does not serve such a kind (HTTP 404)."""


class ConflictError(ApiError):
    """The object exists already, or was changed since it was read (HTTP 409)."""


class GoneError(ApiError):
    """The API no longer has the history that a watch asked for (HTTP 410): list again."""


class BirdError(StandInError):
    """BIRD refuses a configuration, or could not be told of it."""


class NoBlockError(StandInError):
    """No pool allows blocks for this node, or every block is claimed."""


class CalicoctlError(StandInError):
    """calicoctl cannot do what it was asked for; the message is in the real calicoctl's words where it has some."""


class FlagError(StandInError):
    """A flag of the controller is unknown, not supported by the stand-in, or has a wrong value."""


class RefusedValueError(StandInError):
    """A value from the API cannot be written into HAProxy's configuration."""


class ConfigurationError(StandInError):
    """HAProxy does not accept a configuration; it was not loaded."""


class RuntimeApiError(StandInError):
    """HAProxy's runtime API did not answer in time, or refused a command."""


class ProcessError(StandInError):
    """HAProxy could not be started or reloaded."""
