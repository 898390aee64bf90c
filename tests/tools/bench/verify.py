"""How long verify takes: ``labctl verify`` beside the naive way, one ``vagrant ssh -c`` per check."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from labctl.bench.figures import Figures, Recorder, Spread, Table, format_number, format_spread, spread
from labctl.errors import LabctlError
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.vagrant import vagrant_environment
from tools.bench.run import PROGRAM, must, own_environment, own_labctl, timed

_DEADLINE = 120.0
_TURNS = 5


@dataclass(frozen=True, slots=True)
class Question:
    """A command on a machine: what a person would type to see for themselves what a check looks at."""

    machine: str
    command: str


def questions(lab: Lab, checks: list[dict[str, str]]) -> list[Question]:
    """One question per check that is about a machine, in the order of the checks; each check shows its command.

    checks: of `labctl verify --output json`. Those of the host itself are left out. kubectl is asked where it has an
    administrator's rights.
    """
    found = []
    names = {machine.name for machine in lab.machines}
    for check in checks:
        if check["machine"] in names:
            command = check["command"].removeprefix(f"labctl ssh {check['machine']} -- ")
            admin = command.startswith("kubectl ") and "--kubeconfig" not in command
            found.append(Question(lab.controlplane.name if admin else check["machine"], command))
    return found


def sample(found: list[Question], count: int) -> list[Question]:
    """So many of them, evenly spread over the whole list; all where there are not more."""
    if count >= len(found):
        return found
    return [found[index * len(found) // count] for index in range(count)]


def measure(lab: Lab, files: LabDirectory, *, asked: int, note: Callable[[str], None]) -> Figures:
    """Ask so many of the naive way's questions one after the other, with a whole verify after each fifth of them.

    Raises LabctlError if a check fails, a program does not end, or Vagrant knows no machine.
    """
    command = own_labctl(files.base, "verify", "--wait", "10", "--output", "json")
    done = must(timed(command, deadline=_DEADLINE, environment=own_environment()), "labctl verify")
    checks = json.loads(done.stdout)["checks"]
    recorder = Recorder(Host(), PROGRAM)
    every = questions(lab, checks)
    chosen = sample(every, asked)
    naive: list[float] = []
    ours: list[float] = []
    unanswered = 0
    turn = max(1, len(chosen) // _TURNS)
    for index, question in enumerate(chosen):
        if index % turn == 0:
            ours.append(_verify(files))
        note(f"{index + 1} of {len(chosen)}: vagrant ssh {question.machine} -c '{question.command}'")
        seconds, answered = _ask(lab, files, question)
        naive.append(seconds)
        unanswered += not answered
    return _figures(recorder, len(checks), every, _Measured(spread(ours), spread(naive), sum(naive), unanswered))


@dataclass(frozen=True, slots=True)
class _Measured:
    verify: Spread
    ask: Spread
    asked_seconds: float
    unanswered: int


def _verify(files: LabDirectory) -> float:
    done = timed(own_labctl(files.base, "verify"), deadline=_DEADLINE, environment=own_environment())
    if done.status not in (0, 1):
        raise LabctlError("labctl verify did not run", why=done.stderr.strip()[-500:])
    return done.seconds


def _ask(lab: Lab, files: LabDirectory, question: Question) -> tuple[float, bool]:
    command = ["vagrant", "ssh", question.machine, "-c", question.command]
    done = timed(command, deadline=_DEADLINE, folder=files.folder, environment=vagrant_environment(lab, files, Host()))
    return done.seconds, done.status == 0


def _figures(recorder: Recorder, checks: int, every: list[Question], found: _Measured) -> Figures:
    distinct = len(set(every))
    per_question = found.asked_seconds / found.ask.count
    rows = []
    data = {}
    for key, what, count in (
        ("per_check", "one vagrant ssh -c per check", len(every)),
        ("per_question", "the same, each different command once", distinct),
    ):
        measured = count == found.ask.count
        seconds = found.asked_seconds if measured else per_question * count
        how = "measured" if measured else f"{found.ask.count} measured x {count}/{found.ask.count}"
        ratio = seconds / found.verify.median
        rows.append((what, str(count), f"{format_number(seconds)} s", how, f"{ratio:.0f}"))
        data[key] = {"questions": count, "seconds": seconds, "measured": measured, "ratio": ratio}
    ours = ("labctl verify", f"{checks} checks", format_spread(found.verify, "s"), "measured", "1")
    return Figures(
        name="verify",
        title="verify",
        conditions=recorder.conditions(),
        tables=(Table(("what", "how many", "seconds", "how found", "times verify"), (ours, *rows)),),
        notes=(
            f"One vagrant ssh -c takes {format_spread(found.ask, 's')}, the start of Ruby above all.",
            f"The naive way: of {checks} checks, {len(every)} are about a machine; each shows its command "
            f"and that is asked. Only {distinct} of these commands differ, so a script that asks nothing twice needs "
            "that many. Comparing what they print would come on top.",
            f"{found.unanswered} of the {found.ask.count} commands that were asked ended with an error status there.",
            "The target is 20 times faster than one vagrant ssh -c per check.",
        ),
        data={
            "verify_seconds": asdict(found.verify),
            "ask_seconds": asdict(found.ask),
            "checks": checks,
            "asked": found.ask.count,
            "unanswered": found.unanswered,
            **data,
        },
    )
