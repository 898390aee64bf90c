"""A person at `labctl tour --exercise`."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from labctl.model.lab import Lab
from labctl.tour.tasks import TASKS
from support.lab_under_test import LabUnderTest

CONFIG = "/etc/bird/bird.conf"


def written_by_hand(lab: Lab) -> str:
    """A bird.conf as the article has it: a protocol for each node."""
    network = lab.network
    text = (
        f"router id {lab.ingress.address};\nprotocol device {{ }}\n"
        "protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }\n"
    )
    for index, node in enumerate(lab.nodes):
        text += (
            f"protocol bgp peer{index} {{ local {lab.ingress.address} as {network.ingress_as_number}; direct; "
            f"neighbor {node.address} as {network.as_number}; "
            f"ipv4 {{ import where net ~ [ {network.pod_cidr}{{{network.block_size},{network.block_size}}} ]; "
            "export none; }; }\n"
        )
    return text


class Student:
    """Types, and waits for what comes."""

    def __init__(self, lab: LabUnderTest, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._lab = lab
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

    def does_every_task(self) -> None:
        """Type the solution of each task; bird.conf is written in an editor, and copied to ingress."""
        (self._lab.folder / "mine.conf").write_text(written_by_hand(self._lab.model))
        typed = {task.stop: task.solution(self._lab.model) for task in TASKS}
        typed["filter"] = f"labctl ssh ingress -- 'cat > {CONFIG}' < mine.conf"
        for line in typed.values():
            self.types(line)
            self.reads("✓ done")


@contextmanager
def exercise(lab: LabUnderTest) -> Iterator[Student]:
    """An exercise from its start to its end, which must be a good one."""
    process = lab.start("tour", "--exercise", typing=True)
    giving_up = threading.Timer(240, process.kill)
    giving_up.start()
    try:
        student = Student(lab, process)
        yield student
        student.errors = process.communicate(timeout=60)[1]
        assert process.returncode == 0, student.errors
    finally:
        giving_up.cancel()
        process.kill()
        process.wait()
