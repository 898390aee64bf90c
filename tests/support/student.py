"""A person at `labctl tour --exercise`."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from support.lab_under_test import LabUnderTest


class Student:
    """Types, and waits for what comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._to, self._from, self.errors = process.stdin, process.stdout, ""

    def types(self, line: str) -> None:
        self._to.write(f"{line}\n")
        self._to.flush()

    def reads(self, words: str) -> None:
        """Read on until these words have come. The end of the output fails the test."""
        seen = ""
        while words not in seen:
            char = self._from.read(1)
            assert char, f"no {words!r} in:\n{seen}"
            seen += char


@contextmanager
def exercise(lab: LabUnderTest) -> Iterator[Student]:
    """An exercise from its start to its end, which must be a good one."""
    process = lab.start("tour", "--exercise", typing=True)
    giving_up = threading.Timer(240, process.kill)
    giving_up.start()
    try:
        student = Student(process)
        yield student
        student.errors = process.communicate(timeout=60)[1]
        assert process.returncode == 0, student.errors
    finally:
        giving_up.cancel()
        process.kill()
        process.wait()
