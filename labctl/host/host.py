"""This host, as the one object through which labctl reaches it: files, programs, processes. Tests replace it."""

from __future__ import annotations

import os
import platform as python_platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING

from labctl.errors import HostError, LabctlError
from labctl.host.command import CommandResult

if TYPE_CHECKING:
    from labctl.host.processes import Process

# What subprocess takes as a stream: a file, or a constant such as subprocess.PIPE.
Stream = int | IO[bytes] | None


@dataclass(frozen=True, slots=True)
class Host:
    """The host.

    root: where absolute paths are looked up. platform: as in ``sys.platform``. release: the kernel's.
    user: the effective user id; 0 on Windows. environment: of labctl, and of the programs that it runs. today: by its
    clock.
    """

    root: Path = Path("/")
    home: Path = field(default_factory=Path.home)
    platform: str = sys.platform
    machine: str = field(default_factory=python_platform.machine)
    release: str = field(default_factory=python_platform.release)
    cpus: int = field(default_factory=lambda: os.cpu_count() or 1)
    user: int = field(default_factory=lambda: os.geteuid() if hasattr(os, "geteuid") else 0)
    today: date = field(default_factory=date.today)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def is_linux(self) -> bool:
        """Whether this is Linux."""
        return self.platform.startswith("linux")

    @property
    def is_windows(self) -> bool:
        """Whether this is Windows."""
        return self.platform == "win32"

    @property
    def is_macos(self) -> bool:
        """Whether this is macOS."""
        return self.platform == "darwin"

    @property
    def is_root(self) -> bool:
        """Whether labctl runs as root. Windows has no root."""
        return self.user == 0 and not self.is_windows

    @property
    def has_apt(self) -> bool:
        """Whether packages come from apt here."""
        return self.find("apt-get") is not None

    @property
    def cache(self) -> Path:
        """The folder for the box: ``$LABCTL_CACHE``, or labctl's folder in the user's cache."""
        import platformdirs  # noqa: PLC0415 - few commands need it

        return Path(self.environment.get("LABCTL_CACHE") or platformdirs.user_cache_dir("labctl"))

    # Files

    def path(self, absolute: str) -> Path:
        """The file at an absolute path of this host."""
        return self.root / absolute.lstrip("/")

    def exists(self, absolute: str) -> bool:
        """Whether something is at an absolute path."""
        return self.path(absolute).exists()

    def read(self, absolute: str) -> str:
        """A file's text; empty where it cannot be read. Bytes that are not UTF-8 become U+FFFD."""
        try:
            return self.path(absolute).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def can_open(self, path: Path) -> bool:
        """Whether a device file can be opened for reading and writing; some exist without anything behind them."""
        try:
            os.close(os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0)))
        except OSError:
            return False
        return True

    def free_disk(self, path: Path) -> int:
        """Bytes that are free on the disk that holds a path."""
        return shutil.disk_usage(path).free

    # Programs

    def find(self, program: str) -> str | None:
        """The path of a program on the ``PATH``; None if it is not installed."""
        return shutil.which(program, path=self.environment.get("PATH", os.defpath))

    def run(
        self,
        command: Sequence[str],
        *,
        deadline: float,
        stdin: str | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        """Run a program to its end, whatever its exit status.

        deadline: seconds. stdin: its standard input; none without. folder: its working directory.
        environment: in place of the host's.
        Raises HostError if the program cannot be started, LabctlError if it has not ended in time.
        """
        command_line = " ".join(command)
        started = time.monotonic()
        try:
            done = subprocess.run(
                command,
                input=stdin.encode() if stdin is not None else None,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                timeout=deadline,
                cwd=folder,
                env=self.environment if environment is None else environment,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            last = (error.stderr or error.stdout or b"").decode("utf-8", "replace").strip().splitlines()
            raise LabctlError(
                f"{command_line} did not end within {deadline:.0f} s",
                why=f"the last line that it printed: {last[-1]}" if last else "it printed nothing",
            ) from error
        except OSError as error:
            raise _not_started(command, error) from error
        return CommandResult(
            command_line,
            done.returncode if done.returncode >= 0 else 128 - done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
            time.monotonic() - started,
        )

    def follow(
        self,
        command: Sequence[str],
        *,
        deadline: float,
        on_output: Callable[[bytes], None],
        given_up: threading.Event | None = None,
    ) -> CommandResult:
        """Run a long-running program in its own process group, and pass on its output as it arrives.

        deadline: seconds. on_output: called with its output and its errors, which the result does not contain.
        given_up: set to end the program.
        Raises HostError if it cannot be started, LabctlError if it was given up or has not ended in time. When this
        returns or raises, no process of the group runs any longer.
        """
        from labctl.host.processes import follow  # noqa: PLC0415 - few commands need it

        started = time.monotonic()
        process = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, new_session=True)
        status = follow(process, " ".join(command), deadline, on_output, given_up)
        return CommandResult(" ".join(command), status, "", "", time.monotonic() - started)

    def ask(self, command: Sequence[str], deadline: float) -> str | None:
        """What a program prints; None if it is not installed, fails, or has not ended after ``deadline`` seconds."""
        program = self.find(command[0])
        if program is None:
            return None
        try:
            done = self.run([program, *command[1:]], deadline=deadline)
        except LabctlError:
            return None
        return done.stdout if done.ok else None

    def start(
        self,
        command: Sequence[str],
        *,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = None,
        stderr: Stream = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        new_session: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a program and return at once. new_session: in its own process group, which can be ended as a whole.

        Raises HostError if the program cannot be started.
        """
        try:
            return subprocess.Popen(
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env=self.environment if environment is None else environment,
                start_new_session=new_session,
            )
        except OSError as error:
            raise _not_started(command, error) from error

    def addresses(self) -> frozenset[str]:
        """The addresses of this host's network interfaces, as text."""
        import psutil  # noqa: PLC0415

        interfaces = psutil.net_if_addrs().values()
        return frozenset(address.address for addresses in interfaces for address in addresses)

    # Processes, memory and load

    def processes(self) -> list[Process]:
        """Every process of this host."""
        from labctl.host.processes import all_processes  # noqa: PLC0415 - psutil, which few commands need

        return all_processes()

    def process(self, pid: int) -> Process | None:
        """The process of that id; None if there is none."""
        from labctl.host.processes import one_process  # noqa: PLC0415

        return one_process(pid)

    def children(self) -> list[Process]:
        """The processes that labctl started, and those that they started."""
        from labctl.host.processes import child_processes  # noqa: PLC0415

        return child_processes()

    def end(self, processes: Iterable[Process], *, grace: float = 10.0) -> None:
        """Ask processes to end, and kill those that still run after ``grace`` seconds; 0 kills at once.

        Raises HostError if this user may not end one of them.
        """
        from labctl.host.processes import end_processes  # noqa: PLC0415

        end_processes(processes, grace=grace)

    def memory(self) -> tuple[int, int]:
        """Bytes of memory: all of it, and what is free for new programs."""
        import psutil  # noqa: PLC0415

        found = psutil.virtual_memory()
        return found.total, found.available

    def cpu_percent(self, seconds: float) -> float:
        """How much of the processors is in use over the next seconds, percent."""
        import psutil  # noqa: PLC0415

        return psutil.cpu_percent(interval=seconds)

    def load_average(self) -> float:
        """Processes that ran or waited to run, over the last minute; 0 on Windows, which does not count."""
        try:
            return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        except OSError:
            return 0.0

    def runnable(self) -> int:
        """Processes that run or wait to run now (proc_loadavg(5)); 0 where Linux does not tell."""
        fields = self.read("/proc/loadavg").split()
        running = fields[3].partition("/")[0] if len(fields) > 3 else ""
        return int(running) if running.isdigit() else 0


def _not_started(command: Sequence[str], error: OSError) -> HostError:
    """The program is missing; or else its working directory, or the right to run it."""
    if isinstance(error, FileNotFoundError) and error.filename == command[0]:
        return HostError(f"{command[0]} is not installed")
    return HostError(f"{command[0]} cannot be started", why=f"{error.strerror}: {error.filename}")
