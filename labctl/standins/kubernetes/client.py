"""A client of the Kubernetes API: JSON in and out, with readable errors.

The Kubernetes client library reads the kubeconfig and splits the stream of a watch into lines; urllib3, which it is
built on, does TLS and HTTP. The library's API calls are not used: their signatures changed between version 30 (Debian
13) and 37, and they lack EndpointSlice v1beta1, the only version that Kubernetes 1.20 serves.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from kubernetes.watch import watch as kubernetes_watch
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from labctl.model.kubernetes import Manifest
from labctl.standins.errors import ApiError, ConflictError, GoneError, NotFoundError

# Seconds: to connect; to answer a request; until the API ends a watch.
_CONNECT, _ANSWER, _WATCH = 3.0, 20.0, 300
_ERRORS = {404: NotFoundError, 409: ConflictError, 410: GoneError}
# The kernel notices within 5 + 3 * 2 seconds that the API's machine is dead (tcp(7)), long before a watch ends.
_SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]

# Splits a response into lines as they arrive, without splitting multi-byte characters.
_iter_lines: Callable[[urllib3.BaseHTTPResponse], Iterator[str]] = kubernetes_watch.iter_resp_lines


class Client:
    """A client of the API in a kubeconfig; several threads may use it. Paths are URL paths, such as /api/v1/nodes.

    Every method raises ApiError or one of its subclasses.
    """

    def __init__(self, kubeconfig: Path, *, connections: int = 8) -> None:
        """connections: how many requests may run in parallel. Raises ApiError if the kubeconfig is invalid."""
        settings = _settings(kubeconfig)
        self._host = str(settings.host).rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "labctl-standin"}
        for header in settings.auth_settings().values():
            self._headers[header["key"]] = header["value"]
        self._pool = urllib3.PoolManager(
            cert_reqs=ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE,
            ca_certs=settings.ssl_ca_cert,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            maxsize=connections,
            retries=False,
            socket_options=_SOCKET_OPTIONS,
        )

    def get(self, path: str, selector: str = "") -> dict[str, Any]:
        """One object, or the list at a path. selector: a field selector."""
        return self._answer("GET", path, query={"fieldSelector": selector})

    def create(self, path: str, manifest: Manifest) -> dict[str, Any]:
        """Create an object. path: of its kind. Returns the stored object."""
        return self._answer("POST", path, body=manifest)

    def replace(self, path: str, manifest: Manifest) -> dict[str, Any]:
        """Replace an object, unless it has changed since the resourceVersion in ``manifest``. path: of the object."""
        return self._answer("PUT", path, body=manifest)

    def patch(self, path: str, fields: Manifest) -> dict[str, Any]:
        """Merge fields into an object (RFC 7386). path: of the object."""
        return self._answer("PATCH", path, body=fields, content_type="application/merge-patch+json")

    def delete(self, path: str, uid: str = "") -> None:
        """Delete an object; with ``uid``, only if it is still the same object. path: of the object."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}} if uid else None
        self._answer("DELETE", path, body=options)

    def watch(self, path: str, version: str, selector: str = "") -> Iterator[Manifest]:
        """The events after a resource version, until the API ends the watch. After a GoneError, list again."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH),
            "fieldSelector": selector,
        }
        try:
            with closing(self._request("GET", path, query=query, read_seconds=_WATCH + 30)) as response:
                for line in _iter_lines(response):
                    yield _event(line)
        except (HTTPError, OSError, ValueError) as error:
            raise _unreachable(error) from error

    def _answer(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        try:
            with closing(self._request(method, path, query=query, body=body, content_type=content_type)) as response:
                answer = json.loads(response.data)
        except (HTTPError, OSError, ValueError) as error:
            raise _unreachable(error) from error
        if not isinstance(answer, dict):
            raise ApiError(f"the API's answer to {path} is not an object")
        return answer

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
        read_seconds: float = _ANSWER,
    ) -> urllib3.BaseHTTPResponse:
        url = self._host + path
        if given := {key: value for key, value in (query or {}).items() if value}:
            url += "?" + urlencode(given)
        response = self._pool.request(
            method,
            url,
            body=None if body is None else json.dumps(body).encode(),
            headers=self._headers if body is None else self._headers | {"Content-Type": content_type},
            timeout=urllib3.Timeout(connect=_CONNECT, read=read_seconds),
            preload_content=False,
        )
        if response.status >= 300:
            with closing(response):
                raise _refusal(response)
        return response


def _settings(kubeconfig: Path) -> Any:
    settings = client.Configuration()
    load: Any = config.load_kube_config
    try:
        load(config_file=str(kubeconfig), client_configuration=settings, persist_config=False)
    except (ConfigException, OSError, ValueError, TypeError, KeyError, YAMLError) as error:
        raise ApiError(f"cannot use kubeconfig {kubeconfig}: {error}") from error
    return settings


def _refusal(response: urllib3.BaseHTTPResponse) -> ApiError:
    """The error for a response: with the message of its Status object, or else the reason phrase of HTTP."""
    try:
        message = str(json.loads(response.data)["message"])
    except (ValueError, TypeError, KeyError):
        message = str(response.reason)
    kind = _ERRORS.get(response.status, ApiError)
    # The messages of these two name the object; the others say little without HTTP's status.
    words = message if kind in (NotFoundError, ConflictError) else f"the API answers {response.status}: {message}"
    return kind(words, response.status)


def _unreachable(error: Exception) -> ApiError:
    # urllib3's message begins with the repr of a Python object, which is of no use in a log.
    words = re.sub(r"^<[^>]*>: ", "", str(error)) or type(error).__name__
    return ApiError(f"the API cannot be reached: {words}")


def _event(line: str) -> Manifest:
    event = json.loads(line)
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
        raise ApiError("the API sent something that is not an event")
    if event.get("type") == "ERROR":
        status = event["object"]
        words = f"the API ended the watch: {status.get('message') or status.get('reason') or status}"
        raise _ERRORS.get(status.get("code"), ApiError)(words, int(status.get("code") or 0))
    return event
