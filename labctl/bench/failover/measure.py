"""Run the cases on a running lab, one after the other, and leave it as it was: repaired and verified."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from labctl.bench.conditions import Recorder
from labctl.bench.failover.cases import Case, Target, Timers
from labctl.bench.failover.stream import RATE, TIMEOUT_SECONDS, Outage, Stream, outage
from labctl.bench.figures import Figures, Table, format_spread, spread
from labctl.checks.collect import collect
from labctl.checks.haproxy_state import owners
from labctl.checks.verify import wait
from labctl.engine.context import Context
from labctl.engine.locked_out import require_known_secrets
from labctl.engine.up import bring_up
from labctl.errors import LabctlError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.registry import provider_of
from labctl.ssh.connections import Connections
from labctl.steps.prepare import prepare

_BEFORE_SECONDS = 3.0
"""How long the stream runs before the failure."""
_AFTER_SECONDS = 12.0
"""How long it runs afterwards, in addition to the time that BGP needs to notice."""
_VERIFY_SECONDS = 180.0
_PAUSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case with one kind of timers, once."""

    case: Case
    timers: Timers
    outage: Outage


@dataclass(frozen=True, slots=True)
class FailoverBench:
    """Measures a running lab. box_file: what its machines were made from. note: called with what is being measured."""

    lab: Lab
    files: LabDirectory
    connections: Connections
    box_file: Path | None
    note: Callable[[str], None]

    def measure(self, cases: Sequence[Case], timers: Sequence[Timers], rounds: int) -> list[CaseResult]:
        """Each case with each kind of timers, in so many rounds. At the end, the lab gets its own timers back.

        Raises LabctlError if the lab can't be brought up, or its checks fail before a case.
        """
        require_known_secrets(provider_of(self.lab, self.files, self.connections.host))
        results: list[CaseResult] = []
        try:
            for kind in timers:
                lab = kind.of(self.lab)
                self._bring_up(lab, f"timers: {kind.name}")
                for case in [*cases] * rounds:
                    results.append(CaseResult(case, kind, self._measure(lab, case, kind)))
        finally:
            self._bring_up(self.lab, "restoring the timers of labctl.yaml")
        return results

    def _measure(self, lab: Lab, case: Case, timers: Timers) -> Outage:
        target = self._target(lab)
        after = _AFTER_SECONDS + (timers.hold_time if case.by_bgp and not timers.bfd else 0)
        self.note(f"{timers.name}: {case.title} ({target.owner} has {lab.entry}), {_BEFORE_SECONDS + after:.0f} s")
        stream = Stream(lab)
        stream.begin()
        try:
            time.sleep(_BEFORE_SECONDS)
            case.apply(target, self.connections)
            time.sleep(after)
        finally:
            answers = stream.end()
            self.connections.close()
            case.repair(target, self.connections)
            self._bring_up(lab, "repairing")
        result = outage(answers)
        self.note(f"{timers.name}: {result.away:.2f} s away, {result.lost} of {result.sent} requests lost")
        return result

    def _bring_up(self, lab: Lab, why: str) -> None:
        """What `labctl up` does, with the timers of that lab, until all checks pass."""
        self.note(why)
        host = self.connections.host
        prepare(lab, self.files, box_file=self.box_file, host=host)
        provider = provider_of(lab, self.files, host)
        outcome = bring_up(Context(lab, self.files, provider, self.connections, host, lambda _event: None))
        if not outcome.ok:
            failed = next(iter(outcome.failed.values()), None)
            raise LabctlError("the lab could not be brought up", why=str(failed), next_step="labctl up")
        report = wait(lab, self.connections, _VERIFY_SECONDS)
        if not report.ok:
            why = f"broken: {', '.join(map(str, report.root_causes))}"
            raise LabctlError("cannot measure a lab with failing checks", why=why, next_step="labctl verify")
        time.sleep(_PAUSE_SECONDS)

    def _target(self, lab: Lab) -> Target:
        assert lab.vip is not None
        facts = collect(lab, self.connections)
        owner = owners(facts, lab, lab.vip)
        if len(owner) != 1:
            raise LabctlError(f"{len(owner)} machines have {lab.entry}", next_step="labctl verify")
        pods = [pod.node for pod in facts.cluster.pods if pod.labels.get("run") == "app"]
        return Target(lab, owner[0], max(lab.workers, key=lambda worker: pods.count(worker.name)).name)


def figures(
    recorder: Recorder, results: Sequence[CaseResult], cases: Sequence[Case], timers: Sequence[Timers]
) -> Figures:
    """The figures of at least one result of each case with each kind of timers."""
    rows, data = [], []
    for case in cases:
        cells = [case.title]
        for kind in timers:
            outages = [result.outage for result in results if result.case == case and result.timers == kind]
            away, lost = spread([item.away for item in outages]), spread([float(item.lost) for item in outages])
            cells.append(f"{format_spread(away, 's')}, {format_spread(lost)} lost")
            row = {"case": case.name, "timers": kind.name, "sent": [item.sent for item in outages]}
            data.append({**row, "away_seconds": asdict(away), "lost": asdict(lost)})
        rows.append(tuple(cells))
    return Figures(
        name="failover",
        title="Failover: seconds without service, and requests lost",
        conditions=recorder.conditions(),
        tables=(Table(("what dies", *(kind.name for kind in timers)), tuple(rows)),),
        notes=(
            f"{RATE} requests a second from this host to the shared address, each on its own connection; a request "
            f"without HTTP 200 after {TIMEOUT_SECONDS:g} s is lost. Away is the longest time without an answered "
            "request; if it is short and many requests are lost, some pods answered and others did not.",
            *(
                f"{kind.name}: BGP hold time {kind.hold_time} s{', BFD every 200 ms, five times' if kind.bfd else ''}, "
                f"VRRP every {kind.advert_interval:g} s."
                for kind in timers
            ),
            "BFD runs between BIRD on ingress and the BIRD of Calico's stand-in. Real Calico has no BFD.",
        ),
        data={"rate": RATE, "patience_seconds": TIMEOUT_SECONDS, "measured": data},
    )
