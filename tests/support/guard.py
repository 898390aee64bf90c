"""Keeps unit tests away from the host that they run on: its files, programs, processes and network.

An audit hook of Python (PEP 578) sees what a test is about to do. What is not allowed is refused with an error, and the
test fails even where the code under test catches that error. A Python that the test starts is guarded, too, by way of
in_child/sitecustomize.py; another program only gets an environment of the test's own.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from support import golden

CHECKOUT = Path(__file__).resolve().parents[2]
TEMPORARY = os.path.realpath(tempfile.gettempdir())
PYTHON = tuple({os.path.realpath(folder) for folder in (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values())})
# Read by Python, its libraries and pytest themselves.
READABLE = (
    str(CHECKOUT), *PYTHON, TEMPORARY, sys.prefix, "/dev/null", "/dev/urandom", "/dev/random", "/dev/ptmx", "/dev/pts",
    "/etc/localtime", "/usr/share/zoneinfo", "/etc/ssl", "/usr/lib/ssl", "/usr/share/locale", "/etc/mime.types",
    "/usr/lib/locale", "/proc/self", "/proc/thread-self", "/proc/stat",
)  # fmt: skip
WRITABLE = (TEMPORARY, str(CHECKOUT / ".hypothesis"), "/dev/null", "/dev/ptmx", "/dev/pts")
WRITABLE += (str(CHECKOUT),) if golden.WRITE else ()
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# The guard of the test that started this Python, as JSON.
GUARD_VARIABLE = "UNIT_TEST_GUARD"
IN_CHILD = Path(__file__).parent / "in_child"
# ctypes.util.find_library() and platform.uname() run them.
STARTABLE = ("ldconfig", "uname")
# RFC 5737 gives it to nobody: the network of labs whose machines are not there. No packet leaves for it.
NOWHERE = ip_network("192.0.2.0/24")
PYTHONS = ("python", "python3", Path(sys.executable).name)


class RefusedError(AssertionError):
    """A unit test reached for the real host."""


@dataclass
class Guard:
    """What the test that runs now may do beside the usual.

    programs: those that it may start. readable: files and folders of the host that it may read.
    networks: those that it may reach beside loopback: of network namespaces that it makes.
    log: where a child process notes what was refused to it. refused: what was refused to this process.
    """

    programs: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    log: Path | None = None
    refused: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Variables that make a Python which the test starts guard itself in the same way."""
        words = {"programs": self.programs, "readable": self.readable, "networks": self.networks, "log": str(self.log)}
        folders = [str(IN_CHILD), str(CHECKOUT), os.environ.get("PYTHONPATH", "")]
        return {GUARD_VARIABLE: json.dumps(words), "PYTHONPATH": os.pathsep.join(filter(None, folders))}

    def all_refused(self) -> set[str]:
        """What was refused to the test, and to the Pythons that it started."""
        lines = self.log.read_text().splitlines() if self.log is not None and self.log.exists() else []
        return {*self.refused, *lines}


def child_environment(**own: str) -> dict[str, str]:
    """A small environment for a child process, which is guarded if it is a Python. own: further variables."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH", GUARD_VARIABLE)} | own


def guard_this_process() -> None:
    """In a Python that a test has started: guard it, until it ends, as its environment says."""
    if GUARD_VARIABLE in os.environ:
        words = json.loads(os.environ[GUARD_VARIABLE])
        lists = (tuple(words[name]) for name in ("programs", "readable", "networks"))
        _process.guard = Guard(*lists, log=Path(words["log"]))


@dataclass
class _Process:
    """An audit hook belongs to the process, and cannot be removed. guard: the one that it asks now."""

    guard: Guard | None = None


_process = _Process()
_thread = threading.local()


@contextmanager
def guarded(guard: Guard) -> Iterator[Guard]:
    """Refuse what the guard does not allow, while the block runs."""
    before, _process.guard = _process.guard, guard
    try:
        yield guard
    finally:
        _process.guard = before


def _hook(event: str, words: tuple[Any, ...]) -> None:
    judge = _JUDGES.get(event)
    guard = _process.guard
    if judge is None or guard is None or getattr(_thread, "is_judging", False):
        return
    _thread.is_judging = True
    try:
        refused = judge(guard, *words)
        if refused:
            _note(guard, refused)
    finally:
        _thread.is_judging = False
    if refused:
        raise RefusedError(f"a unit test may not {refused}; see tests/support/guard.py")


def _note(guard: Guard, refused: str) -> None:
    guard.refused.append(refused)
    if GUARD_VARIABLE in os.environ and guard.log is not None:
        with guard.log.open("a") as log:
            log.write(f"{refused}\n")


def _open(guard: Guard, path: object, mode: str | None, flags: int) -> str:
    writes = bool(flags & _WRITES) if mode is None else any(letter in mode for letter in "wax+")
    return _write(guard, path) if writes else _read(guard, path)


def _read(guard: Guard, path: object, *_: object) -> str:
    place = _place(path)
    if place is None or _is_below(place, WRITABLE) or _is_below(place, (*READABLE, *guard.readable)):
        return ""
    if _is_below(place, _modules()) or _is_own_process_file(guard, place):
        return ""
    return f"read {place}"


def _write(guard: Guard, path: object, *_: object, folder: object = None) -> str:
    place = _place(path, folder)
    if place is None or _is_below(place, WRITABLE) or "__pycache__" in place:
        return ""
    return f"write {place}"


def _write_in(guard: Guard, path: object, *rest: object) -> str:
    """Of an event whose last word is the open folder that the path is relative to."""
    return _write(guard, path, folder=rest[-1] if rest else None)


def _write_both(guard: Guard, source: object, target: object, *_: object) -> str:
    return _write(guard, source) or _write(guard, target)


def _write_target(guard: Guard, _source: object, target: object, *_: object) -> str:
    return _write(guard, target)


def _start(guard: Guard, program: object, words: object, _folder: object, environment: Mapping[Any, Any] | None) -> str:
    path = _text(program)
    if not path and isinstance(words, list | tuple):
        path = os.fsdecode(words[0])
    if os.sep not in path:
        given = {os.fsdecode(name): os.fsdecode(value) for name, value in (environment or os.environ).items()}
        path = shutil.which(path, path=given.get("PATH", os.defpath)) or path
    name = Path(path).name
    if os.sep not in path:
        return ""  # there is no such program
    allowed = name in (*guard.programs, *STARTABLE) or (name in PYTHONS and "python" in guard.programs)
    return "" if allowed or _is_below(_absolute(path), (TEMPORARY,)) else f"start {path}"


def _exec(guard: Guard, path: object, words: object, environment: Mapping[Any, Any] | None) -> str:
    return _start(guard, path, words, None, environment)


def _shell(guard: Guard, command: object) -> str:
    return "" if "sh" in guard.programs else f"run {_text(command)!r} in a shell"


def _signal(guard: Guard, pid: int, signal: int) -> str:
    return "" if signal == 0 or _is_own_process(guard, abs(pid)) else f"send signal {signal} to process {pid}"


def _connect(guard: Guard, _socket: object, address: object) -> str:
    if isinstance(address, str | bytes):
        return _write(guard, address) and f"connect to {address!r}"
    return _resolve(guard, address[0]) if isinstance(address, tuple) and isinstance(address[0], str | bytes) else ""


def _resolve(guard: Guard, host: object, *_: object) -> str:
    name = _text(host)
    try:
        address = ip_address(name if name != "localhost" else "127.0.0.1")
    except ValueError:
        return f"connect to {name}" if name else ""
    if address in NOWHERE:
        raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    networks = map(ip_network, guard.networks)
    own = address.is_loopback or address.is_unspecified or any(address in network for network in networks)
    return "" if own else f"connect to {name}"


_JUDGES: dict[str, Callable[..., str]] = {
    "open": _open,
    "os.listdir": _read, "os.scandir": _read, "os.chdir": _read, "glob.glob": lambda *_: "",
    "os.mkdir": _write_in, "os.remove": _write_in, "os.rmdir": _write_in, "os.chmod": _write_in, "os.chown": _write_in,
    "os.truncate": _write, "os.utime": _write_in, "os.setxattr": _write, "shutil.rmtree": _write,
    "os.rename": _write_both, "shutil.move": _write_both,
    "os.link": _write_target, "os.symlink": _write_target, "shutil.copyfile": _write_target,
    "subprocess.Popen": _start, "os.exec": _exec, "os.posix_spawn": _exec, "os.system": _shell,
    "os.kill": _signal, "os.killpg": _signal,
    "socket.connect": _connect, "socket.sendto": _connect, "socket.getaddrinfo": _resolve,
    "socket.gethostbyname": _resolve,
}  # fmt: skip


def _place(path: object, folder: object = None) -> str | None:
    """The absolute path; None for a descriptor that is open already. folder: an open one that it is relative to."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    place = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0:
        place = os.path.join(Path(f"/proc/self/fd/{folder}").readlink(), place)  # noqa: PTH118
    return _absolute(place)


def _modules() -> tuple[str, ...]:
    """Where Python looks for modules."""
    return tuple(_absolute(folder) for folder in sys.path if folder)


def _text(words: object) -> str:
    return os.fsdecode(words) if isinstance(words, str | bytes | os.PathLike) else ""


def _absolute(path: str) -> str:
    """Without following links, which would be another look at the disk."""
    return os.path.abspath(path)  # noqa: PTH100


def _is_below(place: str, folders: tuple[str, ...]) -> bool:
    return place in folders or place.startswith(tuple(folder + os.sep for folder in folders))


def _is_own_process_file(guard: Guard, place: str) -> bool:
    match = re.match(r"/proc/(\d+)(/|$)", place)
    return match is not None and _is_own_process(guard, int(match[1]))


def _is_own_process(guard: Guard, pid: int) -> bool:
    """Whether a process is this one, or was started by it, or has the test's environment; or runs no more."""
    try:
        if guard.log is not None and os.fsencode(guard.log) in Path(f"/proc/{pid}/environ").read_bytes():
            return True
        while pid > 1:
            if pid == os.getpid():
                return True
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            pid = int(text.rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    return False


sys.addaudithook(_hook)
