"""bench failover: how long the application is unavailable, and how many requests are lost, when a part fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

from labctl.bench.figures import Figures, Recorder, Table, format_spread, spread
from labctl.bench.usage import require_working
from labctl.checks.collect import collect
from labctl.checks.haproxy_state import owners
from labctl.checks.http_requests import HTTP_PORT, ask
from labctl.engine.context import Context
from labctl.engine.locked_out import require_known_secrets
from labctl.engine.up import bring_up
from labctl.errors import LabctlError
from labctl.faults.break_and_repair import power_off
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.registry import provider_of
from labctl.ssh.connections import Connections
from labctl.steps.write import prepare

_UNIT = "haproxy-ingress.service"
_KILL_HAPROXY = f"systemctl mask --quiet --runtime {_UNIT}; systemctl kill --signal=KILL {_UNIT}"
_START_HAPROXY = (
    f"systemctl unmask --quiet --runtime {_UNIT}; systemctl reset-failed {_UNIT} || true; systemctl start {_UNIT}"
)
# Drops BGP and BFD to and from one neighbor, and nothing else.
_CUT_SESSION = """
nft -f - <<END
table inet labctl_bench {
  chain input {
    type filter hook input priority 0;
    ip saddr $PEER tcp dport 179 drop
    ip saddr $PEER tcp sport 179 drop
    ip saddr $PEER udp dport 3784 drop
  }
  chain output {
    type filter hook output priority 0;
    ip daddr $PEER tcp dport 179 drop
    ip daddr $PEER tcp sport 179 drop
    ip daddr $PEER udp dport 3784 drop
  }
}
END
"""
_RESTORE_SESSION = "nft delete table inet labctl_bench 2>/dev/null || true"


@dataclass(frozen=True, slots=True)
class Target:
    """A running lab, the ingress machine that has the shared address now, and the worker that may fail."""

    lab: Lab
    owner: str
    worker: str


@dataclass(frozen=True, slots=True)
class Case:
    """Something that fails. by_bgp: whether the other machines notice it by BGP.

    machine: of the target, the one that is switched off (`labctl up` boots it again); empty if scripts do it. script,
    undo: bash on the owner of the shared address, with the worker's address in $PEER.
    """

    name: str
    title: str
    machine: str = ""
    script: str = ""
    undo: str = ""
    by_bgp: bool = False

    def apply(self, target: Target, connections: Connections) -> None:
        """Make it fail. Raises LabctlError if that fails itself."""
        if self.machine:
            power_off(target.lab, getattr(target, self.machine), connections.host)
        else:
            _run(self.script, target, connections)

    def repair(self, target: Target, connections: Connections) -> None:
        """Undo the script. Raises LabctlError."""
        if self.undo:
            _run(self.undo, target, connections)


def _run(script: str, target: Target, connections: Connections) -> None:
    peer = target.lab.machine(target.worker).address
    result = connections.to(target.owner).run("bash -s", deadline=30.0, stdin=f"PEER={peer}\n{script}\n".encode())
    if not result.ok:
        raise LabctlError("a script of the measurement failed", where=target.owner, why=result.last_lines())


CASES = (
    Case("ingress", "the ingress machine with the address dies", machine="owner"),
    Case("haproxy", "HAProxy on it dies", script=_KILL_HAPROXY, undo=_START_HAPROXY),
    Case("worker", "a worker dies", machine="worker", by_bgp=True),
    Case("session", "its session with a worker is cut", script=_CUT_SESSION, undo=_RESTORE_SESSION, by_bgp=True),
)


@dataclass(frozen=True, slots=True)
class Timers:
    """How fast a silent neighbor is noticed. hold_time, advert_interval: seconds."""

    name: str
    hold_time: int
    bfd: bool
    advert_interval: float

    def of(self, lab: Lab) -> Lab:
        """The same lab with these timers."""
        bgp = replace(lab.bgp, hold_time=self.hold_time, bfd=self.bfd)
        return replace(lab, bgp=bgp, vip=lab.vip and replace(lab.vip, advert_interval=self.advert_interval))


TIMERS = (
    Timers("plain", hold_time=30, bfd=False, advert_interval=1.0),
    Timers("short", hold_time=3, bfd=False, advert_interval=0.2),
    Timers("bfd", hold_time=30, bfd=True, advert_interval=0.2),
)


RATE = 20
"""Requests a second."""
TIMEOUT_SECONDS = 1.0
"""Timeout of each part of a request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request. sent: seconds since the stream began. good: whether HTTP 200 came in time."""

    sent: float
    good: bool


@dataclass(frozen=True, slots=True)
class Outage:
    """What a stream lost. away: the longest time in seconds without an answered request. lost: requests."""

    away: float
    lost: int
    sent: int


class Stream:
    """Requests the application at the address for clients, RATE times a second, until it is ended."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=int(RATE * TIMEOUT_SECONDS * 3))
        self._requests: list[Future[Answer]] = []
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def begin(self) -> None:
        """Send the first request now."""
        self._began = time.monotonic()
        self._thread.start()

    def end(self) -> list[Answer]:
        """Stop. Returns all answers, in the order of their requests."""
        self._ended.set()
        self._thread.join()
        self._pool.shutdown()
        return sorted((future.result() for future in self._requests), key=lambda answer: answer.sent)

    def _run(self) -> None:
        number = 0
        while not self._ended.wait(max(0.0, self._began + number / RATE - time.monotonic())):
            self._requests.append(self._pool.submit(self._ask))
            number += 1

    def _ask(self) -> Answer:
        sent = time.monotonic() - self._began
        answer = ask(str(self._lab.entry), HTTP_PORT, self._lab.app.host, seconds=TIMEOUT_SECONDS)
        return Answer(sent, answer.status == 200)


def outage(answers: Sequence[Answer]) -> Outage:
    """The lost requests, and the longest time between two answered ones, less one interval between requests.

    If the last requests are not answered, that time lasts until the end of the stream.
    """
    if not answers:
        return Outage(0.0, 0, 0)
    lost = sum(not answer.good for answer in answers)
    times = [0.0, *(answer.sent for answer in answers if answer.good), answers[-1].sent]
    longest = max(after - before for before, after in pairwise(times))
    return Outage(max(0.0, longest - 1 / RATE) if lost else 0.0, lost, len(answers))


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
        outcome = bring_up(Context(provider, self.connections, lambda _event: None))
        if not outcome.ok:
            failed = next(iter(outcome.failed.values()), None)
            raise LabctlError("the lab could not be brought up", why=str(failed), next_step="labctl up")
        require_working(lab, self.connections, _VERIFY_SECONDS)
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
