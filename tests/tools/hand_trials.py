"""Breakages made by hand on a real lab: what verify names, whether that is right, and how long it takes.

Tries them as root on the lab in DIRECTORY, which must be up. What was tried before is kept in hand-made.json there, and
the latest trial of each goes into docs/faults.md. PART: only those whose names contain one of these.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import click

from labctl.checks.report import Report
from labctl.steps.values import container_prefix
from tools.fault_trials import HEADING, LAB_FOLDER, LEFT_OUT_HEADING, WELL_WITHIN, Trials
from tools.hand_made import HAND_MADE, HARMLESS, HandMade

NAMED_WITHIN = 20.0
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
INTRODUCTION = """
Written by `PYTHONPATH=tests python -m tools.hand_trials DIRECTORY`: what somebody may break with commands of their own,
and what verify names then. The commands stand in tests/tools/hand_made/. Times as above. Each row is its latest trial.
"""
TO_THE_LABS_OWN = "### What does no harm to the application"
"""The section that harmless_trials.py writes: it stays."""
HARMLESS_HEADING = """
### What does no harm

Changes after which the lab does what it did; verify must name nothing.
"""

# Words that the scripts may use, on a machine.
WORDS = r"""
nic=eth0
cali=$(ip -o link show type veth | sed -n 's/^[0-9]*: \(cali[^@:]*\).*/\1/p' | head -1)
block=$(ip -4 route show proto bird | awk -v via="$WORKER1" '$3 == via && !n++ { print $1 }')
[ -n "$block" ] || block=$(ip -4 route show proto bird | awk '/ via / && !n++ { print $1 }')
expire() { # expire CRT-AND-KEY-WITHOUT-ENDING: the same certificate, but it ended yesterday
  local text
  text=$(openssl x509 -in "$1.crt" -noout -ext subjectAltName | sed -n 's/IP Address:/IP:/g; s/^ *\(DNS:.*\)/\1/p')
  openssl req -new -key "$1.key" -subj /CN=kube-apiserver | openssl x509 -req -CA /etc/kubernetes/pki/ca.crt \
    -CAkey /etc/kubernetes/pki/ca.key -not_before 20200101000000Z -not_after 20200201000000Z \
    -extfile <(echo "subjectAltName=$text") -out "$1.crt" 2>/dev/null
}
"""


# Words that they may use on this host.
ON_HOST = r"""
INSIDE=/proc/$(lxc-info -n "${CONTAINER}ingress" -p -H)/root/etc/haproxy-ingress
"""


@dataclass(frozen=True)
class HandTrial:
    """What came of one of them; times in seconds, as in fault_trials.Trial."""

    name: str
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
        times = f"{self.after:5.1f} s, verify {self.seconds:4.1f} s, well {self.well:5.1f} s"
        return f"{'right' if self.right else 'WRONG'}  {self.name:55} {times}  {', '.join(self.named)}: {self.cause}"


class HandTrials(Trials):
    """Tries breakages on the lab in a directory."""

    def run(self, made: HandMade, script: str) -> None:
        """Run a script where the breakage is made."""
        lab = self.lab
        addresses = {machine.name.upper(): str(machine.address) for machine in lab.machines}
        values = {**addresses, "POD_CIDR": lab.network.pod_cidr, "GATEWAY": lab.network.gateway, "BRIDGE": lab.bridge}
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        text += f"CONTAINER={container_prefix(lab)}\nPKI={self.files.folder}/secrets/pki\n"
        text += f"{ON_HOST if made.at == 'host' else WORDS}\n{script}\n"
        where = [] if made.at == "host" else ["lxc-attach", "--clear-env", "-n", container_prefix(lab) + made.at, "--"]
        done = subprocess.run(
            [*where, "bash", "-s"], input=text, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{made.name}: status {done.returncode}: {done.stderr.strip()[-300:]}")

    def _twice(self) -> Report:
        """Of two looks the one that names something, if any does."""
        first = self.verify()
        return self.verify() if first.ok else first

    def attempt(self, made: HandMade) -> HandTrial:
        """Break, verify until it is named, undo, wait until all is well."""
        begin = time.monotonic()
        try:
            self.run(made, made.commands)
            report = self._until(NAMED_WITHIN, lambda report: is_named(made, report)) if made.checks else self._twice()
            after = time.monotonic() - begin
        finally:
            self.run(made, made.undo)
        undone = time.monotonic()
        well = self._until(WELL_WITHIN, lambda report: report.ok)
        seconds = time.monotonic() - undone
        assert well.ok, f"after {made.name}: {well.root_causes} {well.result(well.root_causes[0]).outcome}"
        causes = dict.fromkeys(report.result(id_).outcome.cause for id_ in report.root_causes)
        right = is_named(made, report)
        named = tuple(map(str, report.root_causes))
        return HandTrial(made.name, made.machine, named, "; ".join(causes), right, after, report.seconds, seconds)


def is_named(made: HandMade, report: Report) -> bool:
    """Whether verify names this breakage, its machine and its cause, and nothing else."""
    named = report.root_causes
    if not made.checks:
        return not named
    if not named or not all(any(fnmatchcase(str(id_), pattern) for pattern in made.checks) for id_ in named):
        return False
    causes = " ".join(report.result(id_).outcome.cause for id_ in named)
    about = made.machine in causes or any(made.machine in report.result(id_).check.about for id_ in named)
    return about and re.search(made.cause, causes) is not None


def tables(rows: dict[str, str]) -> str:
    """The tables for docs/faults.md, from rows by what was made."""
    broken = table([rows[made.name] for made in HAND_MADE if made.name in rows])
    harmless = [rows[made.name] for made in HARMLESS if made.name in rows]
    return f"{broken}{HARMLESS_HEADING}\n{table(harmless)}" if harmless else broken


def table(rows: list[str]) -> str:
    """One table, and its sum."""
    right = sum(" | yes | " in row for row in rows)
    lines = [
        f"{right} of {len(rows)} are named right.",
        "",
        "| made by hand | machine | verify names | its cause | right | after | verify | well |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *rows]) + "\n"


def _row(trial: HandTrial) -> str:
    cause = re.sub(r"\s+", " ", trial.cause).replace("|", "\\|")[:220]
    named = ", ".join(f"`{id_}`" for id_ in trial.named) or "nothing"
    times = [f"{trial.after:.0f} s", f"{trial.seconds:.1f} s", f"{trial.well:.0f} s"]
    return (
        "| " + " | ".join([trial.name, trial.machine, named, cause, "yes" if trial.right else "**no**", *times]) + " |"
    )


@click.command(help=__doc__)
@click.argument("directory", type=LAB_FOLDER)
@click.argument("part", nargs=-1)
def main(directory: Path, part: tuple[str, ...]) -> None:
    """Try those whose names contain one of the parts, or all."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended early; what was broken is put right"))
    trials, kept = HandTrials(directory), directory / "hand-made.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for made in (*HAND_MADE, *HARMLESS):
        if part and not any(word in made.name for word in part):
            continue
        try:
            trial = trials.attempt(made)
            print(trial.line, flush=True)
            known[made.name] = asdict(trial)
            kept.write_text(json.dumps(known, indent=1))
        except Exception as error:  # noqa: BLE001 - the others are tried all the same
            print(f"ERROR  {made.name}: {error!r}", flush=True)
    write_section([HandTrial(**known[made.name]) for made in (*HAND_MADE, *HARMLESS) if made.name in known])


def write_section(trials: list[HandTrial]) -> None:
    """Put the tables into docs/faults.md, in the place of those that are there; their other rows stay."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEADING)
    end = TO_THE_LABS_OWN if TO_THE_LABS_OWN in rest else LEFT_OUT_HEADING
    after = rest[rest.index(end) :] if rest else LEFT_OUT_HEADING + before.partition(LEFT_OUT_HEADING)[2]
    rest = rest.partition(end)[0]
    before = before.partition(LEFT_OUT_HEADING)[0]
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in rest.splitlines() if line.startswith("| ")}
    rows.update({trial.name: _row(trial) for trial in trials})
    PAGE.write_text(f"{before}{HEADING}\n{INTRODUCTION}\n{tables(rows)}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
