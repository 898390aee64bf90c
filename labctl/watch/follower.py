"""Follows one machine: prints a fact whenever it has changed, one framed line each.

labctl sends this file over SSH to the machine's own python3 (3.10 or newer, standard library only) and adds a call of
main(). BIRD and HAProxy are asked through their sockets, the kernel through /proc, and the API over one connection
that stays open: a look starts no process. It writes no file, and ends when nobody reads it any more.

Frames, one per line: `labctl-probe JSON` as in labctl/checks/collector.py, and `labctl-alive` after each look.
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

AUTHORITY = "/etc/kubernetes/pki/ca.crt"
READER = "/etc/labctl/reader.pem"  # labctl's own certificate and key: see labctl/facts/certificates.py
SECONDS = 2.0  # for one answer
MOST_BYTES = 2_000_000
# What changes although nothing has happened: BIRD's timers, and the version that the API gives to each list.
RESTLESS = re.compile(r'timer: .*|"resourceVersion":"\d+"')


class Bird:
    """BIRD's control socket (doc/reply_codes and client/client.c of BIRD 2): what `birdc WORDS` prints."""

    def __init__(self, path: str, words: str) -> None:
        self.path, self.words = path, words

    def ask(self) -> str:
        """The answer. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            connection.connect(self.path)
            connection.sendall((self.words + "\n").encode())
            with connection.makefile("r", encoding="utf-8", errors="replace", newline="\n") as answer:
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

    def __init__(self, path: str, words: str) -> None:
        self.path, self.words = path, words

    def ask(self) -> str:
        """The answer. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            connection.connect(self.path)
            connection.sendall((self.words + "\n").encode())
            answer = bytearray()
            while len(answer) < MOST_BYTES:
                chunk = connection.recv(65536)
                if not chunk:
                    break
                answer += chunk
        return answer.decode("utf-8", "replace")


class Kernel:
    """The kernel's routes as `ip -json route` prints them; that runs only when /proc/net/route has changed."""

    def __init__(self, path: str, command: str) -> None:
        self.path, self.command = path, command
        self.seen, self.text = "", ""

    def ask(self) -> str:
        """The routes. Raises OSError."""
        with open(self.path, encoding="ascii") as file:  # noqa: PTH123 - one file without pathlib's import
            seen = file.read()
        if seen != self.seen:
            words = self.command.split()
            self.text = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
            self.seen = seen
        return self.text


class Api:
    """The Kubernetes API over one connection; the answers in the form of labctl.facts.kubernetes.Api."""

    def __init__(self, url: str, paths: str) -> None:
        self.url, self.paths = url, paths.split()
        context = ssl.create_default_context(cafile=AUTHORITY)
        context.load_cert_chain(READER)
        self.connection = http.client.HTTPSConnection(url.partition("//")[2], timeout=SECONDS, context=context)

    def ask(self) -> str:
        """All answers. Raises OSError or HTTPException; the next look connects again."""
        try:
            return "".join(self.get(path) for path in self.paths)
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def get(self, path: str) -> str:
        """One answer, and the line that ends it."""
        self.connection.request("GET", path, headers={"User-Agent": "labctl"})
        answer = self.connection.getresponse()
        body = answer.read(MOST_BYTES).decode("utf-8", "replace")
        return f"{body}\nlabctl-url {answer.status} {self.url}{path}\n"


Source = Bird | HAProxy | Kernel | Api
KINDS: dict[str, type[Source]] = {"bird": Bird, "haproxy": HAProxy, "kernel": Kernel, "api": Api}


def say(line: str, lock: threading.Lock) -> None:
    """Print a line; end at once if nobody reads."""
    with lock:
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            os._exit(0)


def follow(question: list[str], pause: float, lock: threading.Lock) -> None:
    """Look again and again; say what has changed."""
    name, kind, place, words = question
    source: Source | None = None
    last: tuple[int, str, str] | None = None
    while True:
        try:
            if source is None:
                source = KINDS[kind](place, words)
            status, out, err = 0, source.ask(), ""
        except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
            status, out, err = 1, "", f"{place}: {error or type(error).__name__}"
        seen = (status, RESTLESS.sub("", out), err)
        if seen != last:
            last = seen
            frame = {"name": name, "status": status, "stdout": out[:MOST_BYTES], "stderr": err, "seconds": 0.0}
            say("labctl-probe " + json.dumps(frame), lock)
        time.sleep(pause)


def main(questions: list[list[str]], pause: float) -> None:
    """Follow until nobody reads. questions: (name, kind, place, words). pause: seconds between two looks."""
    lock = threading.Lock()
    for question in questions:
        threading.Thread(target=follow, args=(question, pause, lock), daemon=True).start()
    while True:
        say("labctl-alive", lock)
        time.sleep(pause)
