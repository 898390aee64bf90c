"""bench path: both layouts by turns, round after round, on the same pods and from the same client."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from labctl.bench.conditions import Conditions, Recorder
from labctl.bench.figures import percentile
from labctl.bench.path.layouts import LAYOUTS, Layout, both_layouts, require_embedded
from labctl.bench.path.load import paced, saturated
from labctl.bench.path.trace import RequestPath, trace
from labctl.bench.usage import cpu_seconds
from labctl.model.lab import Lab, Machine
from labctl.ssh.connections import Connections

PERCENTILES = (50, 90, 99)
_WARM_UP = 1


@dataclass(frozen=True, slots=True)
class Options:
    """How much to measure. seconds: of each load. rate: requests per second of the paced one. traced: requests."""

    rounds: int
    seconds: int
    rate: int
    traced: int


@dataclass(frozen=True, slots=True)
class Round:
    """One layout in one round.

    latency: microseconds, by percentile, at the fixed rate. achieved, throughput: answers per second. late: requests
    that were sent after their time. cpu_paced, cpu_saturated: microseconds of processor time per request on ingress and
    the workers, at the fixed rate and at saturation; what they use without requests is taken off.
    """

    latency: dict[int, float]
    achieved: float
    late: int
    errors: int
    throughput: float
    cpu_paced: float
    cpu_saturated: float


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was measured; paths and rounds by the layout's name."""

    options: Options
    conditions: Conditions
    paths: dict[str, list[RequestPath]]
    rounds: dict[str, list[Round]]


def measure(
    lab: Lab, connections: Connections, options: Options, recorder: Recorder, note: Callable[[str], None]
) -> Found:
    """Set up the second layout, trace and measure both, and remove it again. Raises LabctlError."""
    require_embedded(lab)
    note("adding the controller as a pod, its NodePort Service and a load balancer on ingress")
    with both_layouts(lab, connections):
        paths = {}
        for layout in LAYOUTS:
            note(f"tracing {options.traced} requests: {layout.title}")
            paths[layout.name] = trace(lab, connections, layout, requests=options.traced)
            saturated(lab, connections, layout, seconds=_WARM_UP)
        rounds = _rounds(lab, connections, options, note)
        conditions = recorder.conditions()
        note("removing what was added")
    return Found(options, conditions, paths, rounds)


def _rounds(
    lab: Lab, connections: Connections, options: Options, note: Callable[[str], None]
) -> dict[str, list[Round]]:
    """The layouts by turns; whoever was first in one round is second in the next."""
    rounds: dict[str, list[Round]] = {layout.name: [] for layout in LAYOUTS}
    for number in range(options.rounds):
        note(f"round {number + 1} of {options.rounds}")
        idle = _idle_use(lab, options)
        for layout in LAYOUTS if number % 2 == 0 else reversed(LAYOUTS):
            rounds[layout.name].append(_round(lab, connections, layout, options, idle))
    return rounds


def in_the_way(lab: Lab) -> tuple[Machine, ...]:
    """The machines whose processor time is counted: all but the client's."""
    return (lab.ingress, *lab.workers)


def _idle_use(lab: Lab, options: Options) -> float:
    """Processor seconds per second that these machines use while nobody asks."""
    started, before = time.monotonic(), cpu_seconds(lab, in_the_way(lab))
    time.sleep(options.seconds)
    return (cpu_seconds(lab, in_the_way(lab)) - before) / (time.monotonic() - started)


def _round(lab: Lab, connections: Connections, layout: Layout, options: Options, idle: float) -> Round:
    meter = _Meter(lab, idle)
    slow = paced(lab, connections, layout, rate=options.rate, seconds=options.seconds)
    cpu_paced = meter.per_request(len(slow.times))
    full = saturated(lab, connections, layout, seconds=options.seconds)
    return Round(
        latency={percent: percentile(slow.times, percent) for percent in PERCENTILES},
        achieved=slow.rate,
        late=slow.late,
        errors=slow.errors + full.errors,
        throughput=full.rate,
        cpu_paced=cpu_paced,
        cpu_saturated=meter.per_request(full.requests),
    )


class _Meter:
    """Processor time since it was last read."""

    def __init__(self, lab: Lab, idle: float) -> None:
        self._lab, self._idle = lab, idle
        self._time, self._used = time.monotonic(), cpu_seconds(lab, in_the_way(lab))

    def per_request(self, requests: int) -> float:
        """Microseconds for each of so many requests, without what would have been used anyway; starts anew."""
        now, used = time.monotonic(), cpu_seconds(self._lab, in_the_way(self._lab))
        spent = used - self._used - self._idle * (now - self._time)
        self._time, self._used = now, used
        return spent / requests * 1e6
