"""Everything on a lab with the real programs: up, faults, designs, reboots, until it is removed again.

Run as root. It takes the programs from FOLDER, which has the layout that `labctl cache pull` writes, and nothing from
anywhere else. A stage that fails does not stop the next one. The result of each stage, with its date, is kept in the
lab's folder, so stages may be run one by one, and a stage that ran out of time continues; the latest results go into
docs/verified.md. Without STAGE, all stages run.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from support.lab_under_test import LabUnderTest, environment, run
from support.student import exercise as student_at

from labctl.cache.contents import FILE
from labctl.cli.app import Application
from labctl.faults.choose import faults_for
from labctl.providers.lxc.containers import Containers
from labctl.report.versions import versions
from labctl.tour.tasks import TASKS
from tools.fault_trials import Trials
from tools.hand_made import HARMLESS
from tools.hand_trials import HandTrials
from tools.kill_trials import write_report

PAGE = Path(__file__).parents[2] / "docs" / "verified.md"
MARKS = ("<!-- upstream_trials begin -->", "<!-- upstream_trials end -->")
NETWORK = "{subnet: 192.168.62.0/24, service_cidr: 10.122.0.0/16}"
CONFIG = """\
provider: lxc
source: upstream
versions: {{kubernetes: "{kubernetes}"}}
sources: {{cache: {folder}, offline: true}}
"""
# Brought about by `up` on the running lab: further keys of labctl.yaml, and of its network.
DESIGNS = {
    "a route reflector with a password": ("bgp: {mesh: reflector, password: true}\n", ""),
    "the same with a router": ("bgp: {mesh: reflector, password: true}\nrouter: true\n", ""),
    "VXLAN": ("", "encapsulation: vxlan"),
    "three workers, two ingress machines, two AS numbers": (
        "workers: 3\ningress: {count: 2}\nbgp: {next_hop: keep, hold_time: 3}\n",
        "ingress_as_number: 65010",
    ),
    "the article's again": ("", ""),
}
CLASS = """\
workers: 1
classroom: {seats: 1, first_subnet: 192.168.67.0/24, first_service_cidr: 10.126.0.0/16}
"""
CAUSE = re.compile(r"\s+")


class TooLongError(Exception):
    """A stage did not end in its time."""


@dataclass(frozen=True)
class Result:
    """What came of a stage. text: for the page."""

    date: str
    ok: bool
    seconds: float
    text: str


@dataclass(frozen=True)
class Stage:
    """One stage. run: returns what it found; raises what is wrong. minutes: what it may take."""

    title: str
    minutes: int
    run: Callable[[UpstreamLab], str]


class UpstreamLab:
    """The lab, and what is done to it."""

    def __init__(self, folder: Path) -> None:
        text = (folder / FILE).read_text(encoding="utf-8")
        kubernetes = re.findall(r"images of Kubernetes (\S+) for", text)
        if not kubernetes:
            sys.exit(f"{folder} has no images of Kubernetes: labctl cache pull --folder {folder}")
        self.config = CONFIG.format(kubernetes=kubernetes[-1], folder=folder.absolute())
        settings = LabUnderTest.folder_of("upstream") / "labctl.yaml"
        before = settings.read_text() if settings.exists() else ""
        self.lab = LabUnderTest("upstream", f"{self.config}network: {NETWORK}\n")
        if before:  # an earlier run's design, in which the lab still is
            settings.write_text(before)
            self.lab.reload()

    def design(self, more: str = "", network: str = "") -> None:
        """Write labctl.yaml with further keys."""
        keys = f"{NETWORK[:-1]}, {network}}}" if network else NETWORK
        text = f"name: {self.lab.folder.name}\n{self.config}network: {keys}\n{more}"
        (self.lab.folder / "labctl.yaml").write_text(text)
        self.lab.reload()

    def well(self, seconds: int = 240) -> str:
        """Wait until all checks pass, and say how many."""
        report = self.lab.verify("--wait", str(seconds), seconds=seconds + 60)
        return f"{report['passed']} checks pass, {report['skipped']} skipped, {report['seconds']:.1f} s"


def up_from_nothing(it: UpstreamLab) -> str:
    """Every step, on machines that did not exist."""
    it.lab.destroy()
    it.design()
    events = it.lab.up()
    took: dict[str, float] = {}
    for event in events:
        if event.get("state") == "done":
            took[event["step"]] = max(took.get(event["step"], 0.0), event["seconds"])
    return f"{events[-1]['seconds']:.0f} s: " + ", ".join(f"{step} {seconds:.0f}" for step, seconds in took.items())


def up_again(it: UpstreamLab) -> str:
    """Nothing is done where nothing is left to do."""
    events = it.lab.up()
    done = [event for event in events if event.get("state") == "done"]
    assert not done, f"steps ran again: {done}"
    return f"nothing changed, {events[-1]['seconds']:.0f} s"


def software(it: UpstreamLab) -> str:
    """Which programs ran."""
    app = Application(directory=it.lab.folder)
    with app.connections(it.lab.model) as connections:
        found = {item.name: item.version for item in versions(it.lab.model, connections)}
    images = it.lab.kubectl("get", "pods", "-A", "-o", "jsonpath={.items[*].spec.containers[*].image}").split()
    found["kernel"] = found["kernel"].partition("-")[0]  # not what its builder called it
    text = [f"{name} {version}" for name, version in found.items() if version]
    return ", ".join([*text, *sorted({image.rpartition("/")[2] for image in images})])


def all_faults(it: UpstreamLab) -> str:
    """Every fault that labctl break has for this lab: what verify names."""
    trials = Trials(it.lab.folder)
    things = {fault.name: partial(trials.try_fault, fault) for fault in faults_for(trials.lab)}
    return _tried(it.lab.folder / "faults-tried.json", things, "named right")


def harmless(it: UpstreamLab) -> str:
    """What does no harm: verify names nothing."""
    trials = HandTrials(it.lab.folder)
    things = {made.name: partial(trials.attempt, made) for made in HARMLESS}
    return _tried(it.lab.folder / "harmless-tried.json", things, "changes raised no alarm")


def _tried(kept: Path, things: Mapping[str, Callable[[], Any]], words: str) -> str:
    """Try each; the sum and what went wrong. kept: what came of those tried so far, if an earlier run was cut short."""
    wrong: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    for name, attempt in things.items():
        if name in wrong:
            continue
        try:
            trial = attempt()
            wrong[name] = "" if trial.right else f"named {', '.join(trial.named) or 'nothing'} ({trial.cause})"
            print(trial.line, flush=True)
        except TooLongError as error:
            raise TooLongError(f"{_sum(wrong, words)}; {len(things) - len(wrong)} not tried: {error}") from error
        except Exception as error:  # noqa: BLE001 - the others are tried all the same
            wrong[name] = repr(error)
            print(f"ERROR  {name}: {error!r}", flush=True)
        kept.write_text(json.dumps(wrong, indent=1))
    kept.unlink(missing_ok=True)
    text = _sum(wrong, words)
    assert not any(wrong.values()), text
    return text


def _sum(wrong: Mapping[str, str], words: str) -> str:
    """How many of those tried were right, and what the others came to."""
    failed = "".join(f"; not `{name}`: {why}" for name, why in wrong.items() if why)
    return f"{sum(not why for why in wrong.values())} of {len(wrong)} {words}{failed}"


def design(more: str, network: str) -> Callable[[UpstreamLab], str]:
    """The lab becomes that design, by `up`."""

    def run(it: UpstreamLab) -> str:
        it.design(more, network)
        return f"{it.lab.up()[-1]['seconds']:.0f} s, {it.well()}"

    return run


def to_thirty_and_back(it: UpstreamLab) -> str:
    """The application grows to 30 pods, and shrinks again."""
    text = []
    for count in (30, 5):
        started = time.monotonic()
        it.lab.kubectl("scale", "deployment", "app", f"--replicas={count}")
        it.lab.kubectl("rollout", "status", "deployment", "app", "--timeout=110s")
        text.append(f"{count} pods: {it.well()} after {time.monotonic() - started:.0f} s")
    return "; ".join(text)


def node_reboot(it: UpstreamLab) -> str:
    """A worker boots again."""
    it.lab.labctl("ssh", "worker1", "--", "systemctl reboot", status=None)
    started = time.monotonic()
    return f"{it.well(400)} after {time.monotonic() - started:.0f} s"


def halt_and_up(it: UpstreamLab) -> str:
    """All machines stop, and come back by `up`."""
    it.lab.labctl("halt", seconds=300)
    return f"up again after {it.lab.up()[-1]['seconds']:.0f} s; {it.well()}"


def commands(*lines: str) -> Callable[[UpstreamLab], str]:
    """Commands of labctl that must succeed."""

    def run(it: UpstreamLab) -> str:
        for line in lines:
            it.lab.labctl(*line.split(), seconds=500)
        return ", ".join(f"`labctl {line}`" for line in lines)

    return run


def exercise(it: UpstreamLab) -> str:
    """A student types every command of the tour."""
    with student_at(it.lab) as student:
        student.does_every_task()
    return f"{len(TASKS)} tasks; {it.well()}"


def exam(it: UpstreamLab) -> str:
    """Something hidden is broken, graded and repaired."""
    it.lab.labctl("break", "--random", "--seed", "8", "--hidden")
    before = json.loads(it.lab.labctl("verify", "--grade", "--output", "json", status=None).stdout)
    it.lab.labctl("repair")
    it.well()
    after = json.loads(it.lab.labctl("verify", "--grade", "--output", "json", status=None).stdout)
    return f"points before the repair {before['points']}, after it {after['points']} of {after['most']}"


def snapshot(it: UpstreamLab) -> str:
    """The lab is saved, ruined and restored."""
    it.lab.labctl("snapshot", "save", "before", seconds=200)
    it.lab.on("controlplane", "rm -rf /etc/kubernetes /var/lib/etcd/*")
    it.lab.on("worker1", "rm -rf /etc/cni /var/lib/kubelet/pki", status=None)
    started = time.monotonic()
    it.lab.labctl("snapshot", "restore", "before", seconds=400)
    text = f"restored and verified in {time.monotonic() - started:.0f} s; {it.well()}"
    it.lab.labctl("snapshot", "delete", "before")
    return text


def watch(it: UpstreamLab) -> str:
    """The page of `labctl watch` shows a lab that is well."""
    process = it.lab.start("watch", "--port", "0")
    try:
        assert process.stdout is not None
        with urllib.request.urlopen(f"{process.stdout.readline().strip()}changes", timeout=60) as changes:
            lines = iter(changes.readline, b"")
            verdict = next(line for line in lines if line.startswith(b"data: ") and b'"state": "ok"' in line)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    return f"the page is told: {len(verdict)} bytes, all is well"


def a_class(it: UpstreamLab) -> str:
    """One seat of a class: up, verified, broken, graded, reset, removed."""
    room = LabUnderTest("upstream-class", it.config + CLASS)
    text = []
    try:
        for words in ("up", "verify", "break --seed 1 --level 1", "grade", "reset", "verify"):
            started = time.monotonic()
            room.labctl("class", *words.split(), status=None if words == "grade" else 0, seconds=800)
            text.append(f"{words.split()[0]} {time.monotonic() - started:.0f} s")
    finally:
        room.labctl("class", "down", "--yes", status=None, seconds=300)
    return ", ".join(text)


def bench_path(it: UpstreamLab) -> str:
    """The two layouts, the controller being HAProxy's own in both."""
    words = ("bench", "path", "--rounds", "3", "--output", "json")
    data = json.loads(it.lab.labctl(*words, seconds=900).stdout)
    ratios = {key: data["costs"][key]["ratio"]["median"] for key in ("p50", "throughput", "cpu_paced")}
    return "traditional / external: " + ", ".join(f"{key} {value:.2f}" for key, value in ratios.items())


def destroy(it: UpstreamLab) -> str:
    """Nothing of the lab is left."""
    it.lab.destroy()
    left = Containers(it.lab.model).existing()
    assert not left, f"left: {left}"
    links = run(["ip", "-brief", "link"], env=environment()).stdout
    assert it.lab.model.bridge not in links, f"the bridge {it.lab.model.bridge} is left"
    return "nothing is left"


STAGES = {
    "up": Stage("`up` from nothing", 15, up_from_nothing),
    "verify": Stage("`verify`", 5, UpstreamLab.well),
    "again": Stage("`up` again", 5, up_again),
    "software": Stage("what ran", 2, software),
    "faults": Stage("every fault of `break`", 75, all_faults),
    "harmless": Stage("changes that do no harm", 30, harmless),
    "tour": Stage("the tour", 10, commands("tour --auto")),
    "exercise": Stage("the exercise", 15, exercise),
    "exam": Stage("an exam: hidden, graded, repaired", 6, exam),
    "watch": Stage("`watch`", 4, watch),
    "snapshot": Stage("`snapshot save` and `restore`", 12, snapshot),
    "class": Stage("a class of one seat", 30, a_class),
    "tools": Stage("what shows a lab", 10, commands("status", "graph --live", "report --fresh --format md")),
    **{f"design-{n}": Stage(title, 12, design(*keys)) for n, (title, keys) in enumerate(DESIGNS.items(), 1)},
    "scale": Stage("30 pods and back", 8, to_thirty_and_back),
    "reboot": Stage("a worker reboots", 8, node_reboot),
    "halt": Stage("`halt` and `up`", 12, halt_and_up),
    "bench": Stage("`bench path`", 15, bench_path),
    "destroy": Stage("`destroy`", 5, destroy),
}


@contextmanager
def within(minutes: int) -> Iterator[None]:
    """Raise TooLongError in the block once the time is up."""

    def ring(*_: object) -> None:
        raise TooLongError(f"not done after {minutes} minutes")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(minutes * 60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tried(it: UpstreamLab, stage: Stage) -> Result:
    """Run one stage."""
    started, ok = time.monotonic(), True
    try:
        with within(stage.minutes):
            text = stage.run(it)
    except Exception as error:  # noqa: BLE001 - the next stage may go on all the same
        ok, text = False, CAUSE.sub(" ", f"{error or error!r}")[:1500]
    return Result(datetime.now(UTC).strftime("%Y-%m-%d %H:%M"), ok, time.monotonic() - started, text)


def page(results: dict[str, Result]) -> str:
    """The table for docs/verified.md."""
    rows = ["| stage | date (UTC) | result | took | |", "|---|---|---|---|---|"]
    for name, result in results.items():
        text = result.text.replace("|", "\\|")
        passed = "passed" if result.ok else "**failed**"
        rows.append(f"| {STAGES[name].title} | {result.date} | {passed} | {result.seconds:.0f} s | {text} |")
    return "\n".join(rows) + "\n"


@click.command(help=__doc__, epilog=f"Stages: {', '.join(STAGES)}.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("stage", metavar="[STAGE]...", type=click.Choice(list(STAGES)), nargs=-1)
def main(folder: Path, stage: tuple[str, ...]) -> None:
    """Run the named stages, or all; exit status 1 if one failed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    it = UpstreamLab(folder)
    kept = it.lab.folder / "upstream-trials.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for name in stage or STAGES:
        result = tried(it, STAGES[name])
        print(f"{'ok    ' if result.ok else 'FAILED'} {name} ({result.seconds:.0f} s): {result.text}", flush=True)
        known[name] = asdict(result)
        kept.write_text(json.dumps(known, indent=1))
        results = {name: Result(**known[name]) for name in STAGES if name in known}
        write_report(PAGE, page(results), MARKS)
    sys.exit(0 if all(known[name]["ok"] for name in stage or STAGES) else 1)


if __name__ == "__main__":
    main()
