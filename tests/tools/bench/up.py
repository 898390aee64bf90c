"""How long a lab takes to come up: ``labctl up`` beside plain ``vagrant up`` of the same rendered files."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from labctl.bench.figures import Conditions, Figures, Recorder, Table, format_number, format_spread, ratios, spread
from labctl.errors import LabctlError
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.processes import MARK
from labctl.providers.vagrant import vagrant_environment
from tools.bench.beside import UP_SECONDS, BesideLab, beside
from tools.bench.critical_path import Link, critical_path, spans
from tools.bench.run import PROGRAM, must, own_environment, own_labctl, timed

_LAST_LINES = 8


@dataclass(frozen=True, slots=True)
class Ups:
    """One labctl up. seconds: from its start until it had ended, verify included. chain: its critical path."""

    seconds: float
    chain: list[Link]

    @property
    def path_seconds(self) -> float:
        """The seconds of work on the critical path, without any wait between steps."""
        return sum(link.work for link in self.chain)


@dataclass(slots=True)
class _Measured:
    ups: list[Ups] = field(default_factory=list)
    vagrant: list[float] = field(default_factory=list)


def measure(lab: Lab, files: LabDirectory, *, rounds: int, note: Callable[[str], None]) -> Figures:
    """Bring a lab of the same kind up both ways by turns, so often, each from nothing. Raises LabctlError."""
    recorder, found = Recorder(Host(), PROGRAM), _Measured()
    with beside(lab, files, "up") as own:
        ways = (_labctl, _vagrant)
        for index in range(rounds):
            for way in ways if index % 2 == 0 else reversed(ways):
                note(f"round {index + 1} of {rounds}: {'labctl up' if way is _labctl else 'vagrant up'}")
                way(own, found)
                own.destroy()
        return _figures(recorder.conditions(), own.lab, found)


def timed_up(own: BesideLab) -> Ups:
    """labctl up, with the moment of each of its events. Raises LabctlError if it fails."""
    command = own_labctl(own.folder, "up", "--output", "json")
    lines: list[tuple[float, str]] = []
    started = time.monotonic()
    with subprocess.Popen(
        command,
        env=own_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                lines.append((time.monotonic() - started, line))
                if lines[-1][0] > UP_SECONDS:
                    process.terminate()
            last = process.stderr.read().splitlines()[-_LAST_LINES:]
        except BaseException:
            process.terminate()  # interrupted: what it started, it ends itself
            raise
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise LabctlError("labctl up failed", where=str(own.folder), why="\n".join(last))
    return Ups(seconds, critical_path(own.lab, spans(lines)))


def _labctl(own: BesideLab, found: _Measured) -> None:
    found.ups.append(timed_up(own))


def _vagrant(own: BesideLab, found: _Measured) -> None:
    own.labctl("render")
    # The home that labctl itself uses here, so that the user's is left alone, and destroy finds the machines.
    environment = {**vagrant_environment(own.lab, own.files, Host()), "VAGRANT_HOME": str(own.files.vagrant_home)}
    del environment[MARK]  # the Vagrantfile prepares this host itself where labctl does not
    command = ["vagrant", "up", "--provider", own.lab.provider.value]
    done = timed(command, deadline=UP_SECONDS, folder=own.files.folder, environment=environment)
    found.vagrant.append(must(done, "vagrant up").seconds)


def _figures(conditions: Conditions, lab: Lab, found: _Measured) -> Figures:
    ours = [up.seconds for up in found.ups]
    share = ratios(ours, found.vagrant)
    distance = spread([up.seconds / up.path_seconds for up in found.ups])
    typical = min(found.ups, key=lambda up: abs(up.seconds - spread(ours).median))
    rows = (
        ("labctl up, verified", format_spread(spread(ours), "s"), str(len(ours))),
        (
            "vagrant up --provider lxc, the same files",
            format_spread(spread(found.vagrant), "s"),
            str(len(found.vagrant)),
        ),
        ("labctl / vagrant, in the same round", format_spread(share), str(share.count)),
        ("labctl up / its critical path", format_spread(distance), str(distance.count)),
    )
    return Figures(
        name="up",
        title="up",
        conditions=conditions,
        tables=(Table(("what", "median (lowest-highest)", "times"), rows), _chain_table(typical)),
        notes=(
            f"Each from nothing, by turns, {len(lab.machines)} machines, the box built before. labctl up ends when all "
            "checks pass; vagrant up when the application is rolled out, and verifies nothing more.",
            "On the critical path each step waited for the one before it; a step that begins early and waits by itself "
            "counts from when what it waits for was done. Steps beside the path slow it down on a host with few "
            "processors, and are in its seconds.",
            "Targets: half of vagrant up's time or less; within 1.3 of the critical path.",
        ),
        data={
            "labctl_seconds": asdict(spread(ours)),
            "vagrant_seconds": asdict(spread(found.vagrant)),
            "ratio": asdict(share),
            "over_critical_path": asdict(distance),
            "critical_path": [
                {"machine": link.name.machine, "step": link.name.step, "wait": link.wait, "work": link.work}
                for link in typical.chain
            ],
        },
    )


def _chain_table(up: Ups) -> Table:
    rows = [(str(link.name), format_number(link.wait), format_number(link.work)) for link in up.chain]
    waits = sum(link.wait for link in up.chain)
    rest = up.seconds - waits - up.path_seconds
    rows.append(("verify, and labctl's own end", "", format_number(rest)))
    rows.append(("together", format_number(waits), format_number(up.path_seconds + rest)))
    seconds, steps = format_number(up.seconds), format_number(up.path_seconds)
    title = f"Critical path of the labctl up that took {seconds} s: {steps} s of steps"
    return Table(("step", "waited, s", "worked, s"), tuple(rows), title)
