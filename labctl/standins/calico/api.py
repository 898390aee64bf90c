"""What the agent and calicoctl ask of the Kubernetes API, over the kubernetes client library: few calls, plain JSON.

The library's generic custom-object calls serve all of Calico's kinds, so nothing here knows their fields.
"""

from __future__ import annotations

import base64
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

GROUP = "projectcalico.org"
VERSION = "v3"
REQUEST_SECONDS = 10.0
WATCH_SECONDS = 240
_GONE = 410

# The library got types after Debian's version 30.1; nothing here relies on them.
_config: Any = config
_watch: Any = watch

# The kernel finds a dead API machine within about 11 seconds (tcp(7)), long before a watch ends by itself.
_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
]


class ApiError(Exception):
    """The API refused, or did not answer. status: of HTTP, 0 where there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class MissingError(ApiError):
    """The API has no such object, or not yet such a kind."""


class ConflictError(ApiError):
    """The object exists already, or has been changed since it was read."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of objects: its name and its name in URLs. custom: of Calico's group; else of Kubernetes itself."""

    name: str
    plural: str
    custom: bool = True


BGP_CONFIGURATION = Kind("BGPConfiguration", "bgpconfigurations")
BGP_PEER = Kind("BGPPeer", "bgppeers")
IP_POOL = Kind("IPPool", "ippools")
BLOCK_AFFINITY = Kind("BlockAffinity", "blockaffinities")
NODE = Kind("Node", "nodes", custom=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch. type: ADDED, MODIFIED or DELETED."""

    type: str
    item: dict[str, Any]


class Api:
    """A connection to the API. Every method raises ApiError (MissingError and ConflictError where they fit)."""

    def __init__(self, kubeconfig: Path) -> None:
        with _as_api_error():
            self._client: Any = _config.new_client_from_config(config_file=str(kubeconfig))
        self._client.rest_client.pool_manager.connection_pool_kw["socket_options"] = _KEEPALIVE
        self._custom: Any = client.CustomObjectsApi(self._client)
        self._core: Any = client.CoreV1Api(self._client)
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

    def list(self, kind: Kind) -> tuple[list[dict[str, Any]], str]:
        """All objects of a kind and the version from which a watch goes on."""
        with _as_api_error():
            if kind.custom:
                answer = self._custom.list_cluster_custom_object(
                    GROUP, VERSION, kind.plural, _request_timeout=REQUEST_SECONDS
                )
            else:
                nodes = self._core.list_node(_request_timeout=REQUEST_SECONDS)
                answer = self._client.sanitize_for_serialization(nodes)
            return list(answer["items"]), str(answer["metadata"]["resourceVersion"])

    def watch(self, kind: Kind, version: str) -> Iterator[Change]:
        """Changes after ``version``, until the API ends the watch. MissingError: the version is too old, list again."""
        source = _watch.Watch()
        arguments: dict[str, Any] = {
            "resource_version": version,
            "timeout_seconds": WATCH_SECONDS,
            "_request_timeout": (REQUEST_SECONDS, WATCH_SECONDS + REQUEST_SECONDS),
        }
        with _as_api_error():
            if kind.custom:
                call = self._custom.list_cluster_custom_object
                events = source.stream(call, GROUP, VERSION, kind.plural, **arguments)
            else:
                events = source.stream(self._core.list_node, **arguments)
            for event in events:
                if event["type"] in {"ADDED", "MODIFIED", "DELETED"}:
                    yield Change(event["type"], event["raw_object"])

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        """One object."""
        with _as_api_error():
            if kind.custom:
                item = self._custom.get_cluster_custom_object(
                    GROUP, VERSION, kind.plural, name, _request_timeout=REQUEST_SECONDS
                )
            else:
                node = self._core.read_node(name, _request_timeout=REQUEST_SECONDS)
                item = self._client.sanitize_for_serialization(node)
            return dict(item)

    def create(self, kind: Kind, item: dict[str, Any]) -> dict[str, Any]:
        """Create one of Calico's objects."""
        with _as_api_error():
            return dict(
                self._custom.create_cluster_custom_object(
                    GROUP, VERSION, kind.plural, item, _request_timeout=REQUEST_SECONDS
                )
            )

    def replace(self, kind: Kind, name: str, item: dict[str, Any]) -> dict[str, Any]:
        """Replace one of Calico's objects, if nobody changed it since the resourceVersion in ``item``."""
        with _as_api_error():
            return dict(
                self._custom.replace_cluster_custom_object(
                    GROUP, VERSION, kind.plural, name, item, _request_timeout=REQUEST_SECONDS
                )
            )

    def delete(self, kind: Kind, name: str, uid: str = "") -> None:
        """Delete one of Calico's objects; with ``uid`` only if it is still that very object."""
        options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid)) if uid else None
        with _as_api_error():
            self._custom.delete_cluster_custom_object(
                GROUP, VERSION, kind.plural, name, body=options, _request_timeout=REQUEST_SECONDS
            )

    def annotate_node(self, name: str, annotations: dict[str, str]) -> None:
        """Set annotations on a node, through its status as Calico does; this needs no right to change the node."""
        with _as_api_error():
            self._core.patch_node_status(
                name, {"metadata": {"annotations": annotations}}, _request_timeout=REQUEST_SECONDS
            )

    def secret(self, namespace: str, name: str, key: str) -> str:
        """One value of a Secret."""
        with _as_api_error():
            found = self._core.read_namespaced_secret(name, namespace, _request_timeout=REQUEST_SECONDS)
        value = (found.data or {}).get(key)
        if value is None:
            raise MissingError(f"Secret {namespace}/{name} has no key {key}", 404)
        return base64.b64decode(value).decode()


def _said(error: Any) -> str:
    """What the API says in its Status object, else HTTP's reason."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason or error).strip()


@contextmanager
def _as_api_error() -> Iterator[None]:
    """Everything that the library raises about the network or the API's answer, as ApiError."""
    try:
        yield
    except ApiException as error:
        message = _said(error)
        if error.status in {404, _GONE}:
            raise MissingError(message, error.status) from error
        if error.status == 409:
            raise ConflictError(message, error.status) from error
        raise ApiError(message, error.status or 0) from error
    except (urllib3.exceptions.HTTPError, OSError, config.ConfigException) as error:
        raise ApiError(f"{type(error).__name__}: {error}") from error
    except (ValueError, LookupError, TypeError) as error:  # cut off in the middle, or no JSON
        raise ApiError(f"an answer that can't be read: {type(error).__name__}: {error}") from error
