"""labctl killed at random moments on a real lab: does the next `up` converge, does `destroy` get everything?

Run as root. It makes a lab of its own, kills one command a trial until so many were hit, and then either brings the lab
up to a verified one or destroys it and compares the host with what it was before. The table goes to standard output;
with --report FILE, the file's part between two marks is replaced.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click
import psutil
from support.host_state import left_behind, look_at_host
from support.lab_under_test import Done, LabUnderTest

# How long a command that is left alone takes at most, seconds: a kill comes at any moment of that. One that ends before
# it was to be killed shows how long that is on this host.
_LONGEST = {"up": 35.0, "again": 4.0, "halt": 15.0, "destroy": 12.0, "break": 2.0, "save": 12.0, "restore": 30.0}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
_COMMANDS = ("again", "halt", "destroy", "break", "up", "save", "restore")
_ENDED_WITHIN = 30.0
_MARKS = ("<!-- kill_trials begin -->", "<!-- kill_trials end -->")
CONFIG = "provider: lxc\nsource: debian\nworkers: 1\nnetwork:\n  subnet: {subnet}\n  service_cidr: {services}\n"


@dataclass(frozen=True)
class Trial:
    """One kill. command: what ran. whom: who got the signal, "" where the command had ended before. after: seconds from
    the command's start. answered: seconds from the signal until labctl had ended. then: what ran next; wrong: what was
    wrong after that.
    """

    number: int
    command: str
    number_of_signal: signal.Signals
    whom: str
    after: float
    answered: float
    status: int
    then: str
    seconds: float
    wrong: str

    @property
    def hit(self) -> bool:
        """Whether anybody got the signal."""
        return bool(self.whom)

    @property
    def line(self) -> str:
        """For somebody who watches."""
        verdict = f"WRONG: {self.wrong}" if self.wrong else {"up": "converged", "destroy": "nothing left"}[self.then]
        sent = f"{self.command:8} {self.number_of_signal.name:8} to {self.whom or 'nobody':8} after {self.after:5.1f} s"
        return f"{self.number:3}  {sent}, exit {self.status:4} {self.answered:5.2f} s later; {self.then}: {verdict}"


class KillTrials:
    """Interrupts commands on one lab, one after the other. The lab is destroyed at the end by whoever made this."""

    def __init__(self, lab: LabUnderTest, seed: int, commands: Sequence[str] = _COMMANDS, then: str = "") -> None:
        """commands: what is killed once the lab is up. then: what always follows, if not by chance."""
        self.lab = lab
        self.commands, self.then = commands, then
        self.draw = random.Random(seed)
        self.mine = re.compile(
            rf"labctl-{re.escape(lab.model.name)}\b|{re.escape(str(lab.folder))}/|"
            + re.escape(str(lab.model.network.subnet.network_address).rsplit(".", 1)[0])
            + r"\."
        )
        self.before = look_at_host()
        self.state = "absent"
        self.longest = dict(_LONGEST)

    def try_one(self, number: int) -> Trial:
        """One trial: a command that suits the lab's state, killed at a random moment, and what comes after it."""
        command = self._command()
        sign, whom = self.draw.choice(_SIGNALS), self.draw.choice(("labctl", "labctl", "vagrant", "group"))
        after = self.draw.uniform(0.05, self.longest[command])
        then = self.then or ("destroy" if self.draw.random() < 0.45 else "up")
        whom, answered, status, errors = self._kill(command, sign, whom, after)
        wrong = self._is_wrong(status, errors, answered, whom)
        begin = time.monotonic()
        wrong = wrong or (self._converges() if then == "up" else self._leaves_nothing())
        return Trial(number, command, sign, whom, after, answered, status, then, time.monotonic() - begin, wrong)

    def _command(self) -> str:
        if self.state == "absent":
            return "up"
        return self.draw.choice(self.commands)

    def many(self, kills: int, tell: Callable[[list[Trial]], None] = lambda _: None) -> list[Trial]:
        """Trials until so many signals hit somebody, or three times as many were sent. tell: hears of all so far."""
        trials: list[Trial] = []
        while len(trials) < 3 * kills and sum(trial.hit for trial in trials) < kills:
            trials.append(self.try_one(len(trials) + 1))
            print(trials[-1].line, flush=True)
            tell(trials)
        return trials

    def _kill(self, command: str, sign: signal.Signals, whom: str, after: float) -> tuple[str, float, int, str]:
        """Run a command, send the signal, wait for labctl's end: who was hit, the seconds that took, its status, its
        last words.
        """
        words = {
            "up": ["up"], "again": ["up"], "halt": ["halt"], "destroy": ["destroy", "--yes"],
            "break": ["break", "--random", "--seed", str(self.draw.randrange(1000))],
            "save": ["snapshot", "save"], "restore": ["snapshot", "restore"],
        }[command]  # fmt: skip
        if command == "up" and self.state == "up":
            self.lab.labctl("halt", seconds=180)
        if command == "restore" and not self._snapshots():
            self.lab.labctl("snapshot", "save", seconds=180)
        started = self.lab.start(*words, own_group=True)
        hit = ""
        begin = time.monotonic()
        try:
            started.wait(timeout=after)
            self.longest[command] = time.monotonic() - begin
        except subprocess.TimeoutExpired:
            hit = _send(started, sign, whom)
        begin = time.monotonic()
        # Where only Vagrant was hit, labctl goes on as long as it needs.
        _, errors = started.communicate(timeout=600 if hit == "vagrant" else 120)
        return hit, time.monotonic() - begin, started.returncode, errors

    def _is_wrong(self, status: int, errors: str, answered: float, whom: str) -> str:
        if "Traceback" in errors or "labctl itself failed" in errors:
            return f"a traceback: {errors[-2000:]}"
        if whom == "labctl" and answered > _ENDED_WITHIN:
            return f"it ended only {answered:.0f} s after the signal"
        known = {0, 1, 130, -signal.SIGKILL, -signal.SIGINT, -signal.SIGTERM}
        return "" if status in known else f"exit status {status}: {errors}"

    def _converges(self) -> str:
        """`up`, then verify. What labctl broke on purpose is repaired first, as a user would."""
        self._again(["repair"], lambda done: done.status in {0, 3})
        done = self._again(["up"], lambda done: done.status == 0)
        if done.status != 0:
            return f"up: exit {done.status}: {done.text[-3000:]}"
        self.state = "up"
        done = self.lab.labctl("verify", "--wait", "60", status=None, seconds=180)
        if done.status != 0:
            return f"verify: {done.text[-3000:]}"
        return self._restores()

    def _restores(self) -> str:
        """A snapshot that is listed can be restored: one in three is, for the time that it takes."""
        if not self._snapshots() or self.draw.random() > 1 / 3:
            return ""
        done = self.lab.labctl("snapshot", "restore", status=None, seconds=300)
        return "" if done.status == 0 else f"restore: exit {done.status}: {done.text[-3000:]}"

    def _snapshots(self) -> list[dict[str, object]]:
        found = self.lab.labctl("snapshot", "list", "--output", "json").stdout
        return list(json.loads(found)["snapshots"])

    def _leaves_nothing(self) -> str:
        done = self._again(["destroy", "--yes"], lambda done: done.status == 0)
        if done.status != 0:
            return f"destroy: exit {done.status}: {done.text[-3000:]}"
        self.state = "absent"
        left = left_behind(self.before, self.mine)
        left += [str(path) for path in self.lab.folder.iterdir() if path.name != "labctl.yaml"]
        return f"left behind: {left}" if left else ""

    def _again(self, words: list[str], right: Callable[[Done], bool]) -> Done:
        """Run labctl; a second time only where it says that another labctl is at work (a killed one's last child)."""
        done = self.lab.labctl(*words, status=None, seconds=600)
        if done.status == 4:
            time.sleep(5)
            done = self.lab.labctl(*words, status=None, seconds=600)
        return done


def _send(started: subprocess.Popen[str], sign: signal.Signals, whom: str) -> str:
    """Send the signal to labctl, to the Vagrant that it started, or to everything it started; returns who was hit.

    Where there is no Vagrant at that moment, labctl is.
    """
    if whom == "vagrant" and _send_to_vagrant(started, sign):
        return whom
    if whom == "group":
        os.killpg(started.pid, sign)
        return whom
    started.send_signal(sign)
    return "labctl"


def _send_to_vagrant(started: subprocess.Popen[str], sign: signal.Signals) -> bool:
    """Whether there was a Vagrant to send it to."""
    hit = False
    for child in psutil.Process(started.pid).children(recursive=True):
        try:
            if "vagrant" in " ".join(child.cmdline()):
                child.send_signal(sign)
                hit = True
        except psutil.Error:
            continue
    return hit


def table(trials: list[Trial], seed: int) -> str:
    """The figures of all trials, as a part of docs/reliability.md."""
    wrong, missed = [trial for trial in trials if trial.wrong], sum(not trial.hit for trial in trials)
    up, down = (sum(1 for trial in trials if trial.then == then and not trial.wrong) for then in ("up", "destroy"))
    told = [trial for trial in trials if trial.whom == "labctl" and trial.number_of_signal != signal.SIGKILL]
    asked = [trial.answered for trial in told]
    lines = [
        f"{date.today().isoformat()}: {len(trials) - missed} kills (seed {seed}), and {missed} commands that ended "
        f"before they were to be killed: {up} converged to a verified lab, {down} left nothing behind, "
        f"{len(wrong)} went wrong.",
        "",
        "| command | kills | ended before | converged | nothing left | wrong |",
        "|---|---|---|---|---|---|",
    ]
    for command in _LONGEST:
        rows = [trial for trial in trials if trial.command == command]
        counts = Counter((trial.then, bool(trial.wrong)) for trial in rows)
        bad = counts["up", True] + counts["destroy", True]
        hits = sum(trial.hit for trial in rows)
        before = len(rows) - hits
        lines.append(f"| {command} | {hits} | {before} | {counts['up', False]} | {counts['destroy', False]} | {bad} |")
    if asked:
        lines += ["", f"After SIGINT or SIGTERM labctl itself ended within {max(asked):.1f} s at most."]
    lines += [f"\n    {trial.line}" for trial in wrong]
    return "\n".join(lines) + "\n"


def write_report(file: Path, text: str, marks: tuple[str, str]) -> None:
    """Put the figures between the two marks of a file."""
    begin, end = marks
    whole = file.read_text(encoding="utf-8")
    head, rest = whole.split(begin, 1)
    file.write_text(f"{head}{begin}\n{text}{end}{rest.split(end, 1)[1]}", encoding="utf-8")


def lab_options(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of a program that makes a lab: its name and networks, and the page for the figures."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in (
            click.option("--report", type=click.Path(path_type=Path), help="Replace the figures in this page."),
            click.option("--services", default="10.77.0.0/16", show_default=True, help="Of the lab: service_cidr."),
            click.option("--subnet", default="192.168.77.0/24", show_default=True, help="Of the lab."),
            click.option("--name", default=name, show_default=True, help="Of the lab."),
        ):
            command = option(command)
        return command

    return add


@click.command(help=__doc__)
@click.option("--trials", "number", default=50, show_default=True, help="Signals that hit somebody.")
@click.option("--seed", type=int, default=lambda: int(time.time()), show_default="the time")
@click.option("--commands", multiple=True, type=click.Choice(_COMMANDS), help="Only this is killed; may be repeated.")
@click.option("--then", type=click.Choice(["up", "destroy"]), default=None, help="What follows each kill.")
@lab_options("labtest-kill")
def main(
    number: int,
    seed: int,
    commands: tuple[str, ...],
    then: str | None,
    name: str,
    subnet: str,
    services: str,
    report: Path | None,
) -> None:
    """Run the trials; exit status 1 if one went wrong."""
    # In a shell's background SIGINT is ignored, and what is started from here would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lab = LabUnderTest(name, CONFIG.format(subnet=subnet, services=services))
    lab.destroy()
    killer = KillTrials(lab, seed, commands or _COMMANDS, then or "")

    def keep(so_far: list[Trial]) -> None:  # at once: those that follow may be interrupted
        if report:
            write_report(report, table(so_far, seed), _MARKS)

    try:
        trials = killer.many(number, keep)
    finally:
        lab.destroy()
    print(table(trials, seed))
    sys.exit(1 if any(trial.wrong for trial in trials) else 0)


if __name__ == "__main__":
    main()
