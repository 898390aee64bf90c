"""``labctl tour --exercise``: the student types commands here; the exercise watches the lab."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from labctl.cli.app import Application
from labctl.model.lab import Lab
from labctl.tour.exercise import Task, run_tasks
from labctl.tour.runner import TourDisplay, TourRunner
from labctl.tour.show import prose
from labctl.tour.stops import STOPS, stops_of
from labctl.tour.tasks import TASKS, reset_bird_conf, restore_scale

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")
_MAX_BYTES = 1_000_000


class LineReader:
    """Reads lines from a file descriptor, with a timeout. (sys.stdin has a buffer that select does not see.)"""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending = b""

    def next(self, seconds: float) -> str | None:
        """The next line; None if none came within that time. Raises EOFError."""
        if b"\n" not in self._pending:
            if not select.select([self._descriptor], [], [], seconds)[0]:
                return None
            data = os.read(self._descriptor, 65536)
            if not data:
                raise EOFError
            self._pending += data
        line, end, rest = self._pending.partition(b"\n")
        if not end:
            return None
        self._pending = rest
        return line.decode("utf-8", "replace")


def run_command_line(line: str, folder: Path, write: Callable[[str], None]) -> str:
    """Run a shell command line in the lab's folder, show what it prints, and return that as plain text.

    `labctl` runs this labctl on this lab. If there is a terminal, the command gets one too, so that editors work.
    """
    words = ["sh", "-c", _script(line, folder)]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        write(done.stdout)
        return done.stdout
    printed = bytearray()

    def copy(descriptor: int) -> bytes:
        data = os.read(descriptor, 65536)
        del printed[: max(0, len(printed) + len(data) - _MAX_BYTES)]
        printed.extend(data)
        return data

    sys.stdout.flush()
    pty.spawn(words, copy)
    return _CONTROL.sub("", printed.decode("utf-8", "replace"))


def _script(line: str, folder: Path) -> str:
    size = os.get_terminal_size(sys.stdout.fileno()) if sys.stdout.isatty() else os.terminal_size((80, 24))
    programs = Path(sys.executable).parent
    return (
        f"stty rows {size.lines} cols {size.columns} 2>/dev/null\n"
        f"PATH={shlex.quote(str(programs))}:$PATH LABCTL_DIRECTORY={shlex.quote(str(folder))}\n"
        f"export PATH LABCTL_DIRECTORY; cd {shlex.quote(str(folder))} || exit\n{line}\n"
    )


_KEYS = "hint: a hint   solution: what to type   skip: the next task   Ctrl-C: end"


def run_exercise(app: Application, first: str) -> int:
    """Do the tasks from that stop to the end; exit status 1 if tasks were skipped or the student left."""
    lab = app.lab()
    names = [stop.name for stop in STOPS]
    tasks = [task for task in TASKS if names.index(task.stop) >= names.index(first)]
    student = _TerminalStudent(app, lab)
    own_file, again = False, "labctl tour --exercise --from STOP starts at a stop"
    with app.connections(lab) as connections:
        runner = TourRunner(lab, connections, TourDisplay())
        restore_scale(runner)
        try:
            own_file = any(task.stop == "restart" for task in tasks) and reset_bird_conf(runner)
            app.after_interrupt = f"{_left(own_file)}; {again}"
            if own_file:
                app.note("BIRD on ingress is not configured now; at the end, labctl restores its own configuration")
            skipped = run_tasks(tasks, runner, student)
        except EOFError:
            app.note(f"you stopped before the end; {_left(own_file)}")
            return 1
        finally:
            runner.undo_all()
    return _summary(app, tasks, skipped, own_file)


def _left(own_file: bool) -> str:
    """The state of the lab. own_file: it has labctl's own bird.conf again."""
    return "the lab is as before" if own_file else "your changes stay; `labctl up` does the rest"


def _summary(app: Application, tasks: Sequence[Task], skipped: Sequence[str], own_file: bool) -> int:
    if skipped:
        app.err.print(Text(f"{len(tasks) - len(skipped)} of {len(tasks)} tasks done; skipped: {', '.join(skipped)}"))
        return 1
    app.err.print(Text(f"✓ all {len(tasks)} tasks done", style="bold green"))
    following = "labctl break --random --hidden, then find what is broken" if own_file else "labctl verify"
    app.note(f"{_left(own_file)}. Next: {following}")
    return 0


class _TerminalStudent:
    """The student at this terminal."""

    def __init__(self, app: Application, lab: Lab) -> None:
        self._app, self._lab = app, lab
        self._lines = LineReader(sys.stdin.fileno())
        self._prompted = False

    def start_task(self, task: Task, number: int, total: int) -> None:
        stop = next(stop for stop in stops_of(self._lab) if stop.name == task.stop)
        title = Text.assemble((f"{number}/{total} ", "dim"), (stop.title, "bold"), (f"  {stop.name}", "dim"))
        self._app.out.print(
            Rule(style="dim"), title, Padding(prose(task.why(self._lab) or stop.why), (0, 0, 1, 0), expand=False)
        )
        self._app.out.print(Text("Your task: ", style="bold yellow") + prose(task.instruction(self._lab)))
        self._app.out.print(Text(_KEYS, style="dim"))
        self._prompted = False

    def read_line(self, seconds: float) -> str | None:
        if not self._prompted:
            self._app.out.print(Text("$ ", style="bold"), end="")
            self._app.out.file.flush()
            self._prompted = True
        line = self._lines.next(seconds)
        self._prompted = line is None
        return line

    def run(self, line: str) -> str:
        return run_command_line(line, self._app.directory.resolve(), self._app.write)

    def show_hint(self, text: str) -> None:
        self._app.out.print(Text("\nHint: ", style="bold yellow") + prose(text))
        self._prompted = False

    def end_task(self, task: Task, *, skipped: bool) -> None:
        word = Text(f"skipped: {task.stop}", style="yellow") if skipped else Text("✓ done", style="bold green")
        self._app.out.print(Text("\n") + word if self._prompted else word)
        self._app.out.print()
