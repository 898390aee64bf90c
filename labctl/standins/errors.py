"""The errors of the stand-ins. They have one base class, so that the main loops can log them and continue."""

from __future__ import annotations


class StandInError(Exception):
    """Base class of all expected errors. The message is a sentence for the log."""


class ApiError(StandInError):
    """The Kubernetes API cannot be reached, or it refused a request. status: HTTP's, 0 if there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotFoundError(ApiError):
    """The API has no such object, or does not serve such a kind (HTTP 404)."""


class ConflictError(ApiError):
    """The object already exists, or has changed since it was read (HTTP 409)."""


class GoneError(ApiError):
    """The API no longer has the requested history (HTTP 410). List again."""


class BirdError(StandInError):
    """BIRD rejected a configuration, or could not be reached."""


class NoBlockError(StandInError):
    """No pool allows blocks for this node, or all blocks are claimed."""


class CalicoctlError(StandInError):
    """calicoctl cannot do what was asked. The message is that of the real calicoctl where it has one."""


class FlagError(StandInError):
    """A flag of the controller is unknown, not supported by the stand-in, or has a wrong value."""


class RefusedValueError(StandInError):
    """A value from the API is not allowed in HAProxy's configuration."""


class ConfigurationError(StandInError):
    """HAProxy rejected a configuration, which was not loaded."""


class RuntimeApiError(StandInError):
    """HAProxy's runtime API did not answer in time, or refused a command."""


class ProcessError(StandInError):
    """HAProxy could not be started or reloaded."""
