"""Follows one machine: prints each fact that has changed, as one line.

labctl sends this file over SSH to the machine's own python3 (3.10 or newer, standard library only) and adds a call of
main(). BIRD and HAProxy are asked through their sockets, the kernel through /proc, and the API over one connection
that stays open, so that polling starts no process. It writes no file, and ends when its output is closed.

Frames, one per line: `labctl-probe JSON` as in labctl/checks/collector.py, and `labctl-alive` after each poll.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

AUTHORITY = "/etc/kubernetes/pki/ca.crt"
READER = "/etc/labctl/reader.pem"  # labctl's own certificate and key: see labctl/facts/certificates.py
SECONDS = 2.0  # for one answer
MAX_BYTES = 2_000_000
# What changes all the time and means nothing: BIRD's timers, and the version that the API gives to each list.
VOLATILE = re.compile(r'timer: .*|"resourceVersion":"\d+"')


@contextmanager
def asked(path: str, command: str) -> Iterator[TextIO]:
    """The answer to a command that was sent to a Unix socket. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall((command + "\n").encode())
        with connection.makefile("r", encoding="utf-8", errors="replace", newline="\n") as answer:
            yield answer


class Bird:
    """BIRD's control socket (doc/reply_codes and client/client.c of BIRD 2): what `birdc COMMAND` prints."""

    def __init__(self, path: str, command: str) -> None:
        self.path, self.command = path, command

    def ask(self) -> str:
        """The answer. Raises OSError."""
        with asked(self.path, self.command) as answer:
            return "".join(self.lines(answer))

    def lines(self, answer: Iterable[str]) -> Iterator[str]:
        """Without the reply codes; a code that is followed by a blank ends the answer, after the greeting (0001)."""
        for line in answer:
            code = line[:4]
            if not code.isdigit():
                yield line[1:]
                continue
            if code != "0000":
                yield line[5:]
            if line[4:5] == " " and code != "0001":
                return


class HAProxy:
    """HAProxy's runtime socket: the whole answer to one command."""

    def __init__(self, path: str, command: str) -> None:
        self.path, self.command = path, command

    def ask(self) -> str:
        """The answer. Raises OSError."""
        with asked(self.path, self.command) as answer:
            return answer.read(MAX_BYTES)


class Kernel:
    """The kernel's routes as `ip -json route` prints them; that runs only when /proc/net/route has changed."""

    def __init__(self, path: str, command: str) -> None:
        self.path, self.command = path, command
        self.table, self.text = "", ""

    def ask(self) -> str:
        """The routes. Raises OSError."""
        with open(self.path, encoding="ascii") as file:  # noqa: PTH123 - one file without pathlib's import
            table = file.read()
        if table != self.table:
            words = self.command.split()
            self.text = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
            self.table = table
        return self.text


class Api:
    """The Kubernetes API over one connection; the answers in the form of labctl.facts.kubernetes.Api."""

    def __init__(self, url: str, paths: str) -> None:
        self.url, self.paths = url, paths.split()
        context = ssl.create_default_context(cafile=AUTHORITY)
        context.load_cert_chain(READER)
        self.connection = http.client.HTTPSConnection(url.partition("//")[2], timeout=SECONDS, context=context)

    def ask(self) -> str:
        """All answers. Raises OSError or HTTPException; the next poll connects again."""
        try:
            return "".join(self.get(path) for path in self.paths)
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def get(self, path: str) -> str:
        """One answer, and the line that ends it."""
        self.connection.request("GET", path, headers={"User-Agent": "labctl"})
        answer = self.connection.getresponse()
        body = answer.read(MAX_BYTES).decode("utf-8", "replace")
        return f"{body}\nlabctl-url {answer.status} {self.url}{path}\n"


Reader = Bird | HAProxy | Kernel | Api
READERS: dict[str, type[Reader]] = {"bird": Bird, "haproxy": HAProxy, "kernel": Kernel, "api": Api}


def print_line(line: str, lock: threading.Lock) -> None:
    """Print a line; end at once if the output is closed."""
    with lock:
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            os._exit(0)


def follow(query: list[str], pause: float, lock: threading.Lock) -> None:
    """Poll, and print what has changed."""
    name, kind, address, text = query
    reader: Reader | None = None
    last: tuple[int, str, str] | None = None
    while True:
        try:
            if reader is None:
                reader = READERS[kind](address, text)
            status, out, err = 0, reader.ask(), ""
        except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
            status, out, err = 1, "", f"{address}: {error or type(error).__name__}"
        answer = (status, VOLATILE.sub("", out), err)
        if answer != last:
            last = answer
            frame = {"name": name, "status": status, "stdout": out[:MAX_BYTES], "stderr": err, "seconds": 0.0}
            print_line("labctl-probe " + json.dumps(frame), lock)
        time.sleep(pause)


def main(queries: list[list[str]], pause: float) -> None:
    """Follow until the output is closed. queries: (name, kind, address, text). pause: seconds between two polls."""
    lock = threading.Lock()
    for query in queries:
        threading.Thread(target=follow, args=(query, pause, lock), daemon=True).start()
    while True:
        print_line("labctl-alive", lock)
        time.sleep(pause)
