"""A machine of a test, by SSH to a port of this host's loopback."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import closing

_BOOT_SECONDS = 900
# What ssh itself ends with where nobody answers, or answers no longer.
LOST = 255


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class SshMachine:
    """who: the options with which SSH gets in, and the user."""

    def __init__(self, port: int, who: list[str]) -> None:
        self.port = port
        self.who = who

    def run(self, command: str, *, stdin: bytes = b"", seconds: float = 120) -> subprocess.CompletedProcess[bytes]:
        """Run a command there. Its status is LOST where the machine fell silent for five minutes."""
        return subprocess.run(self.line(command), input=stdin, capture_output=True, timeout=seconds, check=False)

    def line(self, command: str, *options: str) -> list[str]:
        """The command line of ssh that runs a command there."""
        line = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "LogLevel=ERROR"]
        line += ["-o", "ServerAliveInterval=30", "-o", "ServerAliveCountMax=10"]
        return [*line, "-o", "IdentitiesOnly=yes", "-p", str(self.port), *options, *self.who, command]

    def must(self, command: str, *, stdin: bytes = b"", seconds: float = 120) -> str:
        """What a command that succeeds prints."""
        done = self.run(command, stdin=stdin, seconds=seconds)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        return done.stdout.decode()

    def boots(self, seconds: float = _BOOT_SECONDS) -> float:
        """Wait until somebody gets in; returns the seconds."""
        began = time.monotonic()
        while self.run("true", seconds=60).returncode != 0:
            assert time.monotonic() - began < seconds, "nobody answers"
            time.sleep(3)
        return time.monotonic() - began
