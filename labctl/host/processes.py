"""Processes of this host: list them, follow what one prints, and end them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import psutil

from labctl.errors import HostError, LabctlError

# Processes that were killed are waited for this long, so that what they held is free afterwards.
_KILL_SECONDS = 10.0

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Process:
    """A process. words: its command line. folder: its working directory. started: seconds since the epoch.

    What this user may not see of it is empty.
    """

    pid: int
    name: str = ""
    words: tuple[str, ...] = ()
    folder: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    started: float = 0.0


def all_processes() -> list[Process]:
    """Every process of this host."""
    return list(_described(psutil.process_iter()))


def one_process(pid: int) -> Process | None:
    """The process of that id; None if there is none."""
    try:
        return next(_described([psutil.Process(pid)]))
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return None


def child_processes() -> list[Process]:
    """The processes that this one started, and those that they started."""
    return list(_described(psutil.Process().children(recursive=True)))


def end_processes(processes: Iterable[Process], *, grace: float) -> None:
    """Ask processes to end (SIGTERM), and kill those that still run after ``grace`` seconds; 0 kills at once.

    A process id that another process has by now is left alone. Raises HostError if this user may not end one.
    """
    found = [process for process in map(_same_process, processes) if process is not None]
    if grace > 0:
        for process in found:
            _signal(process, kill=False)
        _, found = psutil.wait_procs(found, timeout=grace)
    for process in found:
        _signal(process, kill=True)
    psutil.wait_procs(found, timeout=_KILL_SECONDS)


def _described(processes: Iterable[psutil.Process]) -> Iterator[Process]:
    for process in processes:
        yield Process(
            process.pid,
            _seen(process.name, ""),
            tuple(_seen(process.cmdline, [])),
            _seen(process.cwd, ""),
            _seen(process.environ, {}),
            _seen(process.create_time, 0.0),
        )


def _seen(read: Callable[[], Value], hidden: Value) -> Value:
    """What ``read`` finds; ``hidden`` where this user may not see it, or the process has ended."""
    try:
        return read() or hidden
    except psutil.Error:
        return hidden


def _same_process(process: Process) -> psutil.Process | None:
    try:
        found = psutil.Process(process.pid)
        return found if found.create_time() == process.started else None
    except psutil.NoSuchProcess:
        return None


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise HostError(
            f"process {process.pid} cannot be ended", why="it belongs to another user", next_step="run labctl as root"
        ) from error


_TICK = 0.2
_BLOCK = 65536


def follow(
    process: subprocess.Popen[bytes],
    command: str,
    deadline: float,
    on_output: Callable[[bytes], None],
    given_up: threading.Event | None,
) -> int:
    """Read the program's output, a pipe, until it ends; returns its exit status, 128 + N after signal N.

    Raises LabctlError if it was given up, or has not ended after deadline seconds. Its process group is then killed.
    """
    until = time.monotonic() + deadline
    try:
        while not _read(process, on_output):
            if given_up is not None and given_up.is_set():
                raise LabctlError(f"gave up {command}")
            if time.monotonic() > until:
                raise LabctlError(f"{command} did not end within {deadline:.0f} s")
        status = process.wait(timeout=max(1.0, until - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise LabctlError(f"{command} did not end within {deadline:.0f} s") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
    return status if status >= 0 else 128 - status


def _read(process: subprocess.Popen[bytes], on_output: Callable[[bytes], None]) -> bool:
    """Hand over what is there within a moment; returns whether there will be no more.

    Does not wait for children of the program that still hold its pipe after it has ended.
    """
    if process.stdout is None:
        raise ValueError("the program's output is no pipe")
    descriptor = process.stdout.fileno()
    if not select.select([descriptor], [], [], _TICK)[0]:
        return process.poll() is not None
    data = os.read(descriptor, _BLOCK)
    if data:
        on_output(data)
    return not data
