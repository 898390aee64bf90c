"""Every fault on a real lab: what verify names, whether that is right, and how long it takes.

Tries them on the lab in DIRECTORY, which must be up, and puts their rows into docs/faults.md. What was tried before is
kept in trials.json. NAME: only these faults.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import click

from labctl.checks import verify as checks
from labctl.checks.report import Report
from labctl.cli.app import Application
from labctl.cli.inspect.verify import CONNECT_SECONDS
from labctl.faults import break_and_repair
from labctl.faults.choose import faults_for
from labctl.faults.fault import Fault
from labctl.model.lab import Machine

NAMED_WITHIN = 45.0
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
SUM = re.compile(r"\d+ of \d+ faults are named right\.")
LAB_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
HEADING = "## Made by hand"
LEFT_OUT_HEADING = "## Left out"
WELL_WITHIN = 150.0


INTRODUCTION = """\
Written on a real lab by `PYTHONPATH=tests python -m tools.fault_trials DIRECTORY`, or with `LABCTL_ALL_FAULTS=1` by
`python -m pytest tests/lab/test_lab_faults.py`: do not edit. Each row is the fault's latest trial.
It gives the answers away: it is for teachers. `labctl break --list` is for students.

    labctl break NAME [--machine M]       break the lab in one place
    labctl break --random [--seed N] [--level 1|2|3] [--hidden]
    labctl verify --explain               find it
    labctl verify --grade --output json   score the student's own repair
    labctl repair                         undo what break did

A fault counts as named right when verify names its machine and its cause, and nothing else beside it. *After* is the
time from `break` until verify named it, *verify* how long that verify took, *well* the time from `repair` until all
checks passed again.

`--grade`: a fault of level N is worth 10 N points. It is repaired when every check that would name it passes; points
are given for what the student repaired, none for what `labctl repair` undid. While a hidden fault is there, its name
stays hidden. JSON: `lab`, `ok` (all checks pass), `points`, `most`, and per fault `name`, `machine`, `level`,
`repaired`, `by`, `seconds` since break, `points`, `most`. JUnit: a test case per fault and one for the whole lab. The
exit status is that of `verify`: 0 when all checks pass."""


@dataclass(frozen=True)
class Trial:
    """One fault.

    after: seconds from break until it was named; seconds: what that verify took; well: from repair to all green.
    """

    fault: Fault
    machine: str
    named: tuple[str, ...]
    cause: str
    right: bool
    after: float
    seconds: float
    well: float

    @property
    def line(self) -> str:
        """For somebody who watches."""
        mark = "right" if self.right else "WRONG"
        times = f"{self.after:5.1f} s, verify {self.seconds:4.1f} s, well again {self.well:5.1f} s"
        return f"{mark}  {self.fault.name:28} {times}  {', '.join(self.named)}: {self.cause}"


class Trials:
    """Tries faults on the lab in a directory."""

    def __init__(self, directory: Path) -> None:
        self.app = Application(directory=directory)
        self.lab = self.app.lab()
        self.files = self.app.lab_files()

    def verify(self) -> Report:
        """One verify, with connections of its own, as the command has."""
        with self.app.connections(self.lab, deadline=CONNECT_SECONDS) as connections:
            return checks.verify(self.lab, connections)

    def try_fault(self, fault: Fault, *, settle: float = 0.0) -> Trial:
        """Break, verify until it is named, after ``settle`` seconds once more, repair, wait until all is well."""
        machine = fault.machines(self.lab)[0]
        begin = time.monotonic()
        try:
            with self.app.connections(self.lab) as connections:
                break_and_repair.apply(self.lab, self.files, connections, fault, machine)
            report = self._until(NAMED_WITHIN, lambda report: is_named(fault, machine, report))
            after = time.monotonic() - begin
            if settle:
                time.sleep(settle)
                report = self.verify()
        finally:
            with self.app.connections(self.lab) as connections:
                break_and_repair.repair(self.lab, self.files, connections)
        repaired = time.monotonic()
        well = self._until(WELL_WITHIN, lambda report: report.ok)
        cause = "; ".join(dict.fromkeys(report.result(id_).outcome.cause for id_ in report.root_causes))
        right = is_named(fault, machine, report)
        assert well.ok, f"after {fault.name}: {well.root_causes} {well.result(well.root_causes[0]).outcome}"
        named = tuple(map(str, report.root_causes))
        return Trial(fault, machine.name, named, cause, right, after, report.seconds, time.monotonic() - repaired)

    def _until(self, seconds: float, right) -> Report:  # type: ignore[no-untyped-def]
        until = time.monotonic() + seconds
        while True:
            report = self.verify()
            if right(report) or time.monotonic() > until:
                return report
            time.sleep(0.5)


def is_named(fault: Fault, machine: Machine, report: Report) -> bool:
    """Whether verify names this fault, its machine and its cause, and nothing else."""
    words = {"machine": machine.name, "address": str(machine.address)}
    patterns = [str(check).format(**words) for check in fault.root_causes]
    if not report.root_causes:
        return False
    if not all(any(fnmatchcase(str(id_), pattern) for pattern in patterns) for id_ in report.root_causes):
        return False
    return any(fault.cause.format(**words) in report.result(id_).outcome.cause for id_ in report.root_causes)


def section(page: str) -> list[str]:
    """The lines of a page's section on what is made by hand (hand_trials.py writes it)."""
    _, heading, rest = page.partition(f"{HEADING}\n")
    return [HEADING, *rest.partition(LEFT_OUT_HEADING)[0].splitlines()] if heading else []


def page(trials: list[Trial], left_out: dict[str, str], by_hand: list[str]) -> str:
    """docs/faults.md. by_hand: the lines of the section on what is made by hand."""
    right = sum(trial.right for trial in trials)
    lines = [
        "# Faults: what `labctl break` breaks, and what `labctl verify` names",
        "",
        *INTRODUCTION.splitlines(),
        "",
        f"{right} of {len(trials)} faults are named right.",
        "",
        "| fault | level | what is broken | machine | verify names | its cause | right | after | verify | well |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(trial) for trial in trials]
    lines += ["", *by_hand, LEFT_OUT_HEADING, "", *(f"- {name}: {why}." for name, why in left_out.items()), ""]
    return "\n".join(lines)


def renewed(text: str, trials: list[Trial]) -> str:
    """The page with these trials' rows in the place of the same faults' earlier ones, and the sum counted again."""
    new = {trial.fault.name: _row(trial) for trial in trials}
    before, heading, rest = text.partition(f"{HEADING}\n")
    lines = [new.get(line.split("`")[1], line) if line.startswith("| `") else line for line in before.splitlines()]
    rows = [line for line in lines if line.startswith("| `")]
    right = sum(" | yes | " in row for row in rows)
    sums = [f"{right} of {len(rows)} faults are named right." if SUM.fullmatch(line) else line for line in lines]
    return "\n".join([*sums, heading + rest])


def _row(trial: Trial) -> str:
    fault = trial.fault
    named = ", ".join(f"`{id_}`" for id_ in trial.named) or "nothing"
    cause = re.sub(r"\s+", " ", trial.cause).replace("|", "\\|")[:220]
    cells = [
        f"`{fault.name}`", str(fault.level), fault.answer.replace("|", "\\|"), trial.machine, named, cause,
        "yes" if trial.right else "**no**", f"{trial.after:.0f} s", f"{trial.seconds:.1f} s", f"{trial.well:.0f} s",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


@click.command(help=__doc__)
@click.option(
    "--settle", type=float, metavar="SECONDS", default=0.0, help="Once a fault is named, verify again after this time."
)
@click.argument("directory", type=LAB_FOLDER)
@click.argument("name", nargs=-1)
def main(settle: float, directory: Path, name: tuple[str, ...]) -> None:
    """Try the named faults, or all."""
    trials, kept = Trials(directory), directory / "trials.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for fault in faults_for(trials.lab):
        if name and fault.name not in name:
            continue
        try:
            trial = trials.try_fault(fault, settle=settle)
            print(trial.line, flush=True)
            known[fault.name] = {key: value for key, value in asdict(trial).items() if key != "fault"}
            kept.write_text(json.dumps(known, indent=1))
        except Exception as error:  # noqa: BLE001 - the others are tried all the same
            print(f"ERROR  {fault.name}: {error!r} {getattr(error, 'why', '')}", flush=True)
    found = [Trial(fault=fault, **known[fault.name]) for fault in faults_for(trials.lab) if fault.name in known]
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
