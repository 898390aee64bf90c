"""A client of the Kubernetes API: plain JSON in and out, errors in plain words.

The Kubernetes client library reads the kubeconfig and splits a watch's stream; urllib3, on which it is built, does TLS
and HTTP. The library's own calls are not used: they changed their signatures between the versions of Debian 13 (30) and
today (37), and they no longer know EndpointSlice v1beta1, which is all that Kubernetes 1.20 serves.
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
# The kernel finds a dead API machine within 5 + 3 * 2 seconds (tcp(7)), long before a watch ends by itself.
_SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]

# Splits a response into lines as they arrive; multi-byte characters stay whole.
_iter_lines: Callable[[urllib3.BaseHTTPResponse], Iterator[str]] = kubernetes_watch.iter_resp_lines


class Client:
    """The API that a kubeconfig names; several threads may use it. Paths are URL paths, such as /api/v1/nodes.

    Every method raises ApiError, or one of its subclasses where one fits.
    """

    def __init__(self, kubeconfig: Path, *, connections: int = 8) -> None:
        """connections: how many requests may run side by side. Raises ApiError if the kubeconfig cannot be used."""
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
        """Create an object. path: of its kind. Returns it as it was stored."""
        return self._answer("POST", path, body=manifest)

    def replace(self, path: str, manifest: Manifest) -> dict[str, Any]:
        """Replace an object, unless it was changed since the resourceVersion in ``manifest``. path: of the object."""
        return self._answer("PUT", path, body=manifest)

    def patch(self, path: str, fields: Manifest) -> dict[str, Any]:
        """Merge fields into an object (RFC 7386). path: of the object."""
        return self._answer("PATCH", path, body=fields, content_type="application/merge-patch+json")

    def delete(self, path: str, uid: str = "") -> None:
        """Delete an object; with ``uid`` only if it is still that very object. path: of the object."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}} if uid else None
        self._answer("DELETE", path, body=options)

    def watch(self, path: str, version: str, selector: str = "") -> Iterator[Manifest]:
        """Events after a resource version, until the API ends the watch. GoneError: list again."""
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
    """The API's refusal in the words of its Status object, otherwise HTTP's reason."""
    try:
        message = str(json.loads(response.data)["message"])
    except (ValueError, TypeError, KeyError):
        message = str(response.reason)
    kind = _ERRORS.get(response.status, ApiError)
    # Objects' own names are in the first two messages already; the others say little without HTTP's status.
    words = message if kind in (NotFoundError, ConflictError) else f"the API answers {response.status}: {message}"
    return kind(words, response.status)


def _unreachable(error: Exception) -> ApiError:
    # urllib3 begins with the connection's Python object, which tells a reader of the log nothing.
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
