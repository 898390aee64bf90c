"""Runs the cases on a running lab, one after the other, and leaves it as it was: repaired and verified."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.bench.conditions import Recorder
from labctl.bench.failover.cases import Case, Scene, Timers
from labctl.bench.failover.stream import PATIENCE, RATE, Outage, Stream, outage
from labctl.bench.figures import Figures, Table, shown, spread
from labctl.checks.collect import collect
from labctl.checks.haproxy_state import owners
from labctl.checks.verify import wait
from labctl.engine.context import Context
from labctl.engine.locked_out import require_known_secrets
from labctl.engine.up import bring_up
from labctl.errors import LabctlError
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.registry import provider_of
from labctl.scheduler import Event
from labctl.ssh.connections import Connections
from labctl.steps.prepare import prepare

_BEFORE = 3.0
"""Seconds of the stream before anything dies."""
_AFTER = 12.0
"""Seconds of it afterwards, on top of the time after which BGP notices."""
_SETTLE = 180.0
_CALM = 3.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One case with one kind of timers, once."""

    case: Case
    timers: Timers
    outage: Outage


@dataclass(frozen=True, slots=True)
class Bench:
    """A running lab to be measured. box_file: what its machines were made from. note: hears what is being measured."""

    lab: Lab
    files: LabDirectory
    connections: Connections
    box_file: Path | None
    note: Callable[[str], None]

    def measure(self, cases: Sequence[Case], timers: Sequence[Timers], rounds: int) -> list[Measured]:
        """Every case with all timers, so often. Whatever happens, the lab is brought back to its own labctl.yaml.

        Raises LabctlError if the lab can't be brought back, or is not whole before a case.
        """
        require_known_secrets(provider_of(self.lab, self.files))
        found: list[Measured] = []
        try:
            for one in timers:
                lab = one.of(self.lab)
                self._bring(lab, f"timers: {one.name}")
                for case in [*cases] * rounds:
                    found.append(Measured(case, one, self._once(lab, case, one)))
        finally:
            self._bring(self.lab, "back to the lab's own labctl.yaml")
        return found

    def _once(self, lab: Lab, case: Case, timers: Timers) -> Outage:
        scene = self._scene(lab)
        after = _AFTER + (timers.hold_time if case.by_bgp and not timers.bfd else 0)
        self.note(f"{timers.name}: {case.title} ({scene.owner} has {lab.entry}), {_BEFORE + after:.0f} s")
        stream = Stream(lab)
        stream.begin()
        try:
            time.sleep(_BEFORE)
            case.do(scene)
            time.sleep(after)
        finally:
            answers = stream.end()
            self._repair(scene, case)
        result = outage(answers)
        self.note(f"{timers.name}: {result.away:.2f} s away, {result.lost} of {result.sent} requests lost")
        return result

    def _repair(self, scene: Scene, case: Case) -> None:
        self.connections.close()
        case.undo(scene)
        self._bring(scene.lab, "repairing")

    def _bring(self, lab: Lab, why: str) -> None:
        """Everything that `labctl up` does, for the lab with these timers."""
        self.note(why)
        prepare(lab, self.files, box_file=self.box_file)
        host = Host()
        provider = provider_of(lab, self.files, host)
        outcome = bring_up(Context(lab, self.files, provider, self.connections, host, _ignore))
        if not outcome.ok:
            failed = next(iter(outcome.failed.values()), None)
            raise LabctlError("the lab could not be brought back", why=str(failed), next_step="labctl up")
        report = wait(lab, self.connections, _SETTLE)
        if not report.ok:
            raise LabctlError(
                "the lab is not whole",
                why=f"broken: {', '.join(map(str, report.root_causes))}",
                next_step="labctl verify",
            )
        time.sleep(_CALM)

    def _scene(self, lab: Lab) -> Scene:
        assert lab.vip is not None
        facts = collect(lab, self.connections)
        owner = owners(facts, lab, lab.vip)
        if len(owner) != 1:
            raise LabctlError(f"{lab.entry} has {len(owner)} owners", next_step="labctl verify")
        busy = [pod.node for pod in facts.cluster.pods if pod.labels.get("run") == "app"]
        worker = max(lab.workers, key=lambda item: busy.count(item.name))
        return Scene(lab, self.connections, owner[0], worker.name)


def _ignore(_: Event) -> None:
    """Report nothing."""


def figures(recorder: Recorder, found: Sequence[Measured], cases: Sequence[Case], timers: Sequence[Timers]) -> Figures:
    """The result of at least one measurement of each case with each kind of timers."""
    rows = []
    data = []
    for case in cases:
        cells = [case.title]
        for one in timers:
            mine = [item.outage for item in found if item.case == case and item.timers == one]
            away, lost = spread([item.away for item in mine]), spread([float(item.lost) for item in mine])
            cells.append(f"{shown(away, 's')}, {shown(lost)} lost")
            row = {"case": case.name, "timers": one.name, "sent": [item.sent for item in mine]}
            data.append({**row, "away_seconds": away.as_json(), "lost": lost.as_json()})
        rows.append(tuple(cells))
    explained = tuple(_explained(one) for one in timers)
    return Figures(
        name="failover",
        title="Failover: seconds without service, and requests lost",
        conditions=recorder.conditions(),
        tables=(Table(("what dies", *(one.name for one in timers)), tuple(rows)),),
        notes=(
            f"{RATE} requests a second from this host to the shared address, each on a connection of its own; one that "
            f"has no HTTP 200 after {PATIENCE:g} s is lost. Away is the longest time without any that was answered; "
            "where it is short and many are lost, some pods answered and others did not.",
            *explained,
            "BFD stands between BIRD on ingress and the BIRD of Calico's stand-in. Real Calico has no BFD.",
        ),
        data={"rate": RATE, "patience_seconds": PATIENCE, "measured": data},
    )


def _explained(one: Timers) -> str:
    bfd = ", BFD every 200 ms, five times" if one.bfd else ""
    return f"{one.name}: BGP hold time {one.hold_time} s{bfd}, VRRP every {one.advert_interval:g} s."
