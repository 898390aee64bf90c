"""Follows a running program: hands over what it prints, until it ends or has to be ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from labctl.errors import LabctlError

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

    A program that has ended may leave others behind that hold its pipe: they are not waited for.
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
