"""The Kubernetes API over the Kubernetes client library: lists and watches of raw objects, errors in plain words.

The library reads the kubeconfig and takes a watch's stream apart; urllib3, which it stands on, does TLS and HTTP.
Objects stay JSON: the library no longer has EndpointSlice v1beta1, which is all that Kubernetes 1.20 serves.
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

import urllib3
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from kubernetes.watch import watch as kubernetes_watch
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from labctl.standins.controller.errors import ApiError, GoneError
from labctl.standins.controller.objects import Manifest

# Seconds: to connect; to answer a list; that one watch lasts before the API ends it.
_CONNECT, _LIST, _WATCH = 3.0, 20.0, 300
_OK, _NOT_FOUND, _GONE = 200, 404, 410
# A peer that is gone without a word is noticed after 10 + 3 * 5 seconds.
_KEEPALIVE = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]

# Splits a response into lines as they arrive (multi-byte characters kept whole).
iter_resp_lines: Callable[[urllib3.BaseHTTPResponse], Iterator[str]] = kubernetes_watch.iter_resp_lines


class Api:
    """The API that a kubeconfig names; may be used by several threads."""

    def __init__(self, kubeconfig: Path, *, connections: int = 8) -> None:
        """connections: how many requests may run side by side. Raises ApiError where the kubeconfig cannot be used."""
        settings = _settings(kubeconfig)
        self._host = str(settings.host).rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "labctl-haproxy-ingress"}
        for header in settings.auth_settings().values():
            self._headers[header["key"]] = header["value"]
        self._pool = urllib3.PoolManager(
            cert_reqs=ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE,
            ca_certs=settings.ssl_ca_cert,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            maxsize=connections,
            retries=False,
            socket_options=_KEEPALIVE,
        )

    def list(self, path: str, selector: str = "") -> Manifest | None:
        """The list object at a path, None where the API does not serve that path. Raises ApiError."""
        try:
            with closing(self._get(path, {"fieldSelector": selector}, read_seconds=_LIST)) as response:
                if response.status == _NOT_FOUND:
                    return None
                _check_status(response)
                found = json.loads(response.data)
        except (HTTPError, OSError, ValueError) as error:
            raise _unreachable(error) from error
        if not isinstance(found, dict):
            raise ApiError(f"the API's answer to {path} is no list")
        return found

    def watch(self, path: str, version: str, selector: str = "") -> Iterator[Manifest]:
        """Events after a resource version, until the API ends the watch. Raises GoneError, ApiError."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH),
            "fieldSelector": selector,
        }
        try:
            with closing(self._get(path, query, read_seconds=_WATCH + 30)) as response:
                _check_status(response)
                for line in iter_resp_lines(response):
                    yield _event(line)
        except (HTTPError, OSError, ValueError) as error:
            raise _unreachable(error) from error

    def _get(self, path: str, query: Mapping[str, str], *, read_seconds: float) -> urllib3.BaseHTTPResponse:
        return self._pool.request(
            "GET",
            self._host + path,
            fields={key: value for key, value in query.items() if value},
            headers=self._headers,
            timeout=urllib3.Timeout(connect=_CONNECT, read=read_seconds),
            preload_content=False,
        )


def _settings(kubeconfig: Path) -> Any:
    settings = client.Configuration()
    load: Any = config.load_kube_config
    try:
        load(config_file=str(kubeconfig), client_configuration=settings, persist_config=False)
    except (ConfigException, OSError, ValueError, TypeError, KeyError, YAMLError) as error:
        raise ApiError(f"kubeconfig {kubeconfig}: {error}") from error
    return settings


def _check_status(response: urllib3.BaseHTTPResponse) -> None:
    if response.status == _OK:
        return
    try:
        message = json.loads(response.data)["message"]
    except (ValueError, TypeError, KeyError):
        message = response.reason
    words = f"the API answers {response.status}: {message}"
    raise (GoneError if response.status == _GONE else ApiError)(words)


def _unreachable(error: Exception) -> ApiError:
    # urllib3 puts the Python object of the connection before its words, which tells a reader of the log nothing.
    words = re.sub(r"^<[^>]*>: ", "", str(error)) or type(error).__name__
    return ApiError(f"the API cannot be reached: {words}")


def _event(line: str) -> Manifest:
    event = json.loads(line)
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
        raise ApiError("the API sent something that is no event")
    if event.get("type") == "ERROR":
        status = event["object"]
        words = f"the API ended the watch: {status.get('message') or status.get('reason') or status}"
        raise (GoneError if status.get("code") == _GONE else ApiError)(words)
    return event
