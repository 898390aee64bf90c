"""Small HTTP servers in the place of pods, and the controller as a process of its own with a real HAProxy."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from support.fake_api import PATIENCE, QuietServer, free_port


class Pod:
    """A small HTTP server that answers with its own address and the headers that it got; ``ip`` is on loopback."""

    def __init__(self, ip: str, port: int) -> None:
        self.ip, self.port = ip, port

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/slow":
                    time.sleep(1)
                body = json.dumps({"pod": ip, "path": self.path, "headers": dict(self.headers)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = QuietServer((ip, port), Answer)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class RunningController:
    """The controller as a process of its own, on ports of its own."""

    def __init__(self, folder: Path, kubeconfig: Path, *more: str) -> None:
        self.config, self.runtime, self.log_file = folder / "etc", folder / "run", folder / "log"
        self.http, self.https, self.stats, self.healthz, peer = (free_port() for _ in range(5))
        command = [
            sys.executable,
            *("-m", "labctl.standins.controller", "--external", f"--kubeconfig={kubeconfig}"),
            *(f"--program={shutil.which('haproxy')}", f"--config-dir={self.config}", f"--runtime-dir={self.runtime}"),
            *("--configmap=default/haproxy-kubernetes-ingress", "--ingress.class=haproxy", "--empty-ingress-class"),
            *("--disable-ipv6", "--ipv4-bind-address=127.0.0.1", f"--http-bind-port={self.http}"),
            *(f"--https-bind-port={self.https}", f"--stats-bind-port={self.stats}"),
            *(f"--healthz-bind-port={self.healthz}", f"--localpeer-port={peer}"),
            *("--disable-quic", "--disable-ingress-status-update", "--disable-writing-only-if-reload", *more),
        ]
        root = Path(__file__).resolve().parents[2]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, env=os.environ | {"PYTHONPATH": str(root)})

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def haproxy_cfg(self) -> str:
        return (self.config / "haproxy.cfg").read_text()

    @property
    def master(self) -> int:
        return int((self.runtime / "haproxy.pid").read_text())

    def get(self, path: str = "/", host: str = "test.local", port: int = 0) -> tuple[int, str]:
        """Status and body; status 0 where nothing answers."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.http, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()

    def pods(self, count: int = 24, **request: str) -> set[str]:
        """Which pods answer so many requests."""
        answers = [self.get(**request) for _ in range(count)]
        return {json.loads(body)["pod"] if status == 200 else f"status {status}" for status, body in answers}

    def runtime_api(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.runtime / "haproxy-runtime-api.sock"))
            connection.sendall(f"{command}\n".encode())
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer.decode()

    def worker(self) -> int:
        return int(
            next(line for line in self.runtime_api("show info").splitlines() if line.startswith("Pid:")).split()[1]
        )

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def running_controller(folder: Path, kubeconfig: Path, *more: str) -> Iterator[RunningController]:
    controller = RunningController(folder, kubeconfig, *more)
    try:
        yield controller
    finally:
        if controller.process.poll() is None:
            controller.stop()
        print(controller.log)  # pytest shows it where a test fails
