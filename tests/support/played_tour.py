"""The tour of a real lab, played again from what its machines printed (recorded.json: machine, command, result)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from labctl.host.command import CommandResult
from labctl.tour.runner import Visit
from support.fake_host import FakeHost

Edit = Callable[[str, str], str]


class Recorder:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def enter_stop(self, visit: Visit, total: int) -> None:
        self.told.append(f"arrive {visit.stop.name} {visit.number}/{total}")

    def start_command(self, command) -> None:
        self.told.append(f"calling {command.typed}")

    def end_command(self, shot) -> None:
        self.told.append(f"shot {shot.output}")

    def show_claim(self, claim) -> None:
        self.told.append(f"claim {claim.text}: {claim.holds}")

    def leave_stop(self, visit: Visit, *, last: bool) -> None:
        self.told.append(f"leave {visit.stop.name}{' last' if last else ''}")


class Machines:
    """Every machine and the host. A command's results come in the recorded order; the last one again and again."""

    def __init__(self, edit: Edit | None = None) -> None:
        self.ran: list[tuple[str, str]] = []
        self.host = FakeHost(answers={"sh": lambda words, _: self.answer("host", words[-1])})
        self._edit = edit or (lambda command, output: output)
        self._results: dict[tuple[str, str], list[CommandResult]] = defaultdict(list)
        for machine, command, status, stdout, stderr in json.loads(
            (Path(__file__).parents[1] / "unit/tour/recorded.json").read_text()
        ):
            self._results[machine, command].append(CommandResult(command, status, stdout, stderr, 0.1))

    def to(self, machine: str):
        machines = self

        class Machine:
            def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
                return machines.answer(machine, command)

        return Machine()

    def answer(self, machine: str, command: str) -> CommandResult:
        self.ran.append((machine, command))
        waiting = self._results[machine, command]
        assert waiting, f"not recorded: {machine}: {command}"
        result = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        stdout = self._edit(command, result.stdout)
        return CommandResult(command, result.status, stdout, result.stderr, result.seconds)
