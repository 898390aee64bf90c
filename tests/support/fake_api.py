"""A small server of the Kubernetes API's list and watch protocol on a real socket, and objects to put into it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Manifest = dict[str, Any]

INGRESSES = "/apis/networking.k8s.io/v1/ingresses"
CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1beta1/endpointslices"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
# Seconds until a test gives up; most things take 0.1 s where the machine has nothing else to do.
PATIENCE = 90.0

# Each process begins elsewhere, below the range that Linux gives to connections (from 32768): the workers of
# pytest-xdist, and runs of pytest that somebody started at the same time.
PORTS = iter(range(20000 + os.getpid() * 97 % 11000, 32000))

NODES = "/api/v1/nodes"
CALICO = "/apis/projectcalico.org/v3"
CALICO_KINDS = tuple(f"{CALICO}/{name}" for name in ("bgpconfigurations", "bgppeers", "ippools", "blockaffinities"))
COLLECTIONS = (INGRESSES, CLASSES, SERVICES, SLICES, CONFIGMAPS, NODES, *CALICO_KINDS)


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_port = True

    def handle_error(self, *_args: object) -> None:
        """A peer that closes its connection is no news."""


class FakeApi:
    """Collections of objects with one growing resource version; it can drop its history (410) and go away."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.objects: dict[str, dict[str, Manifest]] = {path: {} for path in COLLECTIONS}
        self.events: dict[str, list[tuple[int, Manifest]]] = {path: [] for path in COLLECTIONS}
        self.version, self.oldest = 100, 0
        self.lists: list[str] = []
        self.forbidden: set[str] = set()
        self.instead: dict[str, Manifest] = {}  # what a path is answered with, whatever is asked
        self.away = False
        self.cut = 0  # watches begun before this generation are cut off
        # Holds the port, so that nobody else gets it while the API is away; it never listens.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        self._server: ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        self.away = False
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = QuietServer(("127.0.0.1", self.port), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """The API goes away: watches are cut, nothing listens."""
        self.away = True
        self.cut_watches()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        """End it, and give the port back."""
        self.stop()
        self._reserved.close()

    def cut_watches(self) -> None:
        with self.changed:
            self.cut += 1
            self.changed.notify_all()

    def forget_history(self) -> None:
        """Every watch from an older version is answered 410 Gone, running ones with an ERROR event."""
        with self.changed:
            self.version += 1000
            self.oldest = self.version
            self.changed.notify_all()

    def put(self, path: str, manifest: Manifest) -> None:
        with self.changed:
            self.version += 1
            key = _key(manifest)
            kind = "MODIFIED" if key in self.objects[path] else "ADDED"
            manifest = json.loads(json.dumps(manifest))
            manifest["metadata"]["resourceVersion"] = str(self.version)
            self.objects[path][key] = manifest
            self.events[path].append((self.version, {"type": kind, "object": manifest}))
            self.changed.notify_all()

    def delete(self, path: str, name: str) -> None:
        with self.changed:
            self.version += 1
            manifest = self.objects[path].pop(name)
            manifest["metadata"]["resourceVersion"] = str(self.version)
            self.events[path].append((self.version, {"type": "DELETED", "object": manifest}))
            self.changed.notify_all()

    def kubeconfig(self, path: Path) -> Path:
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "lab",
                    "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
                    "clusters": [{"name": "lab", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
                    "users": [{"name": "lab", "user": {"token": "secret"}}],
                }
            )
        )
        return path


class _Handler(BaseHTTPRequestHandler):
    api: FakeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.api.away:  # a connection from before, on which somebody asks once more
            self.close_connection = True
            return
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        if address.path in self.api.instead:
            self._answer(200, self.api.instead[address.path])
        elif address.path in self.api.forbidden:
            self._answer(403, {"kind": "Status", "code": 403, "message": "not allowed by RBAC"})
        elif address.path not in COLLECTIONS:
            _, known = self._known()
            if known:
                self._answer(200, known)
        elif query.get("watch"):
            self._watch(address.path, int(query["resourceVersion"]))
        else:
            self._list(address.path)

    def do_POST(self) -> None:
        manifest = self._body("application/json")
        if _key(manifest) in self.api.objects[self.path]:
            self._refuse(409, f"{_key(manifest)} already exists")
            return
        self.api.put(self.path, manifest)
        self._answer(201, self.api.objects[self.path][_key(manifest)])

    def do_PUT(self) -> None:
        path, known = self._known()
        manifest = self._body("application/json")
        if known and manifest["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
            self._refuse(409, "the object has been modified")
        elif known:
            self.api.put(path, manifest)
            self._answer(200, self.api.objects[path][_key(manifest)])

    def do_PATCH(self) -> None:
        """Of metadata.annotations only."""
        path, known = self._known()
        annotations = self._body("application/merge-patch+json")["metadata"]["annotations"]
        if known:
            metadata = known["metadata"] | {"annotations": known["metadata"].get("annotations", {}) | annotations}
            self.api.put(path, known | {"metadata": metadata})
            self._answer(200, self.api.objects[path][_key(known)])

    def do_DELETE(self) -> None:
        path, known = self._known()
        wanted = self._body("application/json") if self.headers["Content-Length"] else {}
        uid = wanted.get("preconditions", {}).get("uid")
        if known and uid not in (None, known["metadata"].get("uid")):
            self._refuse(409, "the UID in the precondition does not match")
        elif known:
            self.api.delete(path, _key(known))
            self._answer(200, {"kind": "Status", "status": "Success"})

    def _known(self) -> tuple[str, Manifest]:
        """The collection and the object that a path names; without one 404 is answered."""
        path, _, name = self.path.removesuffix("/status").rpartition("/")
        known = self.api.objects.get(path, {}).get(name)
        if known is None:
            self._refuse(404, f"{name} not found")
        return path, known or {}

    def _body(self, content_type: str) -> Manifest:
        assert self.headers["Content-Type"] == content_type
        return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, {"kind": "Status", "code": status, "message": message})

    def _list(self, path: str) -> None:
        with self.api.changed:
            self.api.lists.append(path)
            body = {
                "metadata": {"resourceVersion": str(self.api.version)},
                "items": list(self.api.objects[path].values()),
            }
        self._answer(200, body)

    def _watch(self, path: str, version: int) -> None:
        if version < self.api.oldest:
            self._answer(410, {"kind": "Status", "code": 410, "message": "too old resource version"})
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        cut = self.api.cut
        while True:
            with self.api.changed:
                if self.api.cut != cut:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                due = [event for at, event in self.api.events[path] if at > version]
                gone = version < self.api.oldest
                if not due and not gone:
                    self.api.changed.wait()
                    continue
                version = self.api.version
            if gone:
                due = [{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}]
            for event in due:
                self._chunk(json.dumps(event).encode() + b"\n")
            if gone:
                self._chunk(b"")
                return

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _answer(self, status: int, body: Manifest) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args: object) -> None:
        pass


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Wait for a condition; returns the seconds that it took. Fails the test after a deadline."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds:g} s"
        time.sleep(0.01)
    return time.monotonic() - started


def free_port() -> int:
    """A port that nothing listens on, and that this process has not had before."""
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")


def service(name: str = "app", port_name: str = "port-1", port: int = 80, **annotations: str) -> Manifest:
    found: Manifest = {"port": port, "protocol": "TCP"}
    if port_name:
        found["name"] = port_name
    notes = {f"haproxy.org/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "metadata": {"namespace": "default", "name": name, "annotations": notes},
        "spec": {"type": "ClusterIP", "ports": [found]},
    }


def endpoint_slice(
    ips: list[str], port: int, *, name: str = "app", port_name: str = "port-1", not_ready: str = ""
) -> Manifest:
    endpoints = [{"addresses": [ip], "conditions": {"ready": True}} for ip in ips]
    if not_ready:
        endpoints.append({"addresses": [not_ready], "conditions": {"ready": False}})
    return {
        "metadata": {"namespace": "default", "name": f"{name}-x1", "labels": {"kubernetes.io/service-name": name}},
        "endpoints": endpoints,
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }


def ingress(
    host: str = "test.local",
    path: str = "/",
    *,
    name: str = "test-ingress",
    path_type: str = "Prefix",
    class_name: str = "",
    to: str = "app",
    port: Manifest | None = None,
    **annotations: str,
) -> Manifest:
    backend = {"service": {"name": to, "port": port or {"name": "port-1"}}}
    rule: Manifest = {"http": {"paths": [{"path": path, "pathType": path_type, "backend": backend}]}}
    if host:
        rule["host"] = host
    notes = {f"haproxy.org/{key.replace('_', '-')}": value for key, value in annotations.items()}
    metadata = {"namespace": "default", "name": name, "annotations": notes, "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec: Manifest = {"rules": [rule]}
    if class_name:
        spec["ingressClassName"] = class_name
    return {"metadata": metadata, "spec": spec}


def config_map(**data: str) -> Manifest:
    metadata = {"namespace": "default", "name": "haproxy-kubernetes-ingress"}
    return {"metadata": metadata, "data": {key.replace("_", "-"): value for key, value in data.items()}}


def _key(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])
