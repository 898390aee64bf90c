"""A host for tests: a folder in place of /, canned answers in place of programs, a list in place of processes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from labctl.errors import HostError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.host.processes import Process

# What a program does: it prints this; or ends so; or cannot be run; or whatever a function of its words and input says.
Answer = str | CommandResult | Exception
Answers = Mapping[str, Answer | Callable[[Sequence[str], str], Answer]]


@dataclass(frozen=True, slots=True)
class FakeHost(Host):
    """Nothing outside its root is read, written, run or ended.

    answers: by command line ("lxc-ls -1"), or by program ("lxc-ls"). Another command ends with status 1.
    missing: programs that are not installed. unusable: device files that cannot be opened.
    What was run and ended is recorded in commands, inputs and ended.
    """

    today: date = date(2026, 11, 28)
    answers: Answers = field(default_factory=dict)
    missing: Collection[str] = ()
    unusable: Collection[str] = ()
    running: list[Process] = field(default_factory=list)
    memory_bytes: tuple[int, int] = (16000 << 20, 12000 << 20)
    free_bytes: int = 100 << 30
    load: float = 0.0
    now: int = 0
    commands: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    ended: list[Process] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return Path(self.environment.get("LABCTL_CACHE") or self.home / ".cache/labctl")

    def can_open(self, path: Path) -> bool:
        return path.exists() and not any(path == self.path(device) for device in self.unusable)

    def free_disk(self, path: Path) -> int:
        return self.free_bytes

    def find(self, program: str) -> str | None:
        return None if program in self.missing else f"/usr/bin/{program}"

    def run(
        self,
        command: Sequence[str],
        *,
        deadline: float,
        stdin: str | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        words = [Path(command[0]).name, *command[1:]]
        line = " ".join(words)
        if words[0] in self.missing:
            raise HostError(f"{words[0]} is not installed")
        self.commands.append(line)
        self.inputs.append(stdin or "")
        answer = self.answers.get(line, self.answers.get(words[0]))
        if callable(answer):
            answer = answer(words, stdin or "")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, CommandResult):
            return answer
        if answer is None:
            return CommandResult(line, 1, "", f"this FakeHost has no answer to: {line}", 0.0)
        return CommandResult(line, 0, answer, "", 0.0)

    def start(self, command: Sequence[str], **streams: object) -> None:  # type: ignore[override]
        raise AssertionError(f"FakeHost starts no program: {' '.join(command)}")

    def processes(self) -> list[Process]:
        return list(self.running)

    def process(self, pid: int) -> Process | None:
        return next((process for process in self.running if process.pid == pid), None)

    def children(self) -> list[Process]:
        return list(self.running)

    def end(self, processes: Iterable[Process], *, grace: float = 10.0) -> None:
        for process in processes:
            self.ended.append(process)
            self.running.remove(process)

    def memory(self) -> tuple[int, int]:
        return self.memory_bytes

    def addresses(self) -> frozenset[str]:
        return frozenset({"127.0.0.1"})

    def cpu_percent(self, seconds: float) -> float:
        return 0.0

    def runnable(self) -> int:
        return self.now

    def load_average(self) -> float:
        return self.load


def fake_host(folder: Path, files: Mapping[str, str | bytes] = {}, **settings: object) -> FakeHost:
    """A Linux host whose root is a new folder below ``folder``. files: text by path, relative to /."""
    root = folder / f"host{len(list(folder.iterdir()))}"
    root.mkdir()
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return FakeHost(**{**HARDWARE, "root": root, "home": root / "home", **settings})  # type: ignore[arg-type]


HARDWARE: dict[str, object] = {
    "platform": "linux",
    "machine": "x86_64",
    "release": "6.1.0-30-amd64",
    "cpus": 4,
    "user": 0,
    "environment": {},
}
