"""bench path: both layouts alternately, round by round, with the same pods and the same client."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from labctl.bench.figures import Conditions, Recorder, percentile
from labctl.bench.path.layouts import LAYOUTS, Layout, both_layouts, require_own_box
from labctl.bench.path.load import paced, saturated
from labctl.bench.path.trace import RequestPath, trace
from labctl.bench.usage import cpu_seconds
from labctl.model.lab import Lab, Machine
from labctl.ssh.connections import Connections

PERCENTILES = (50, 90, 99)
_WARM_UP_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Options:
    """How much to measure. seconds: of each load. rate: requests per second at the fixed rate. traced: requests."""

    rounds: int
    seconds: int
    rate: int
    traced: int


@dataclass(frozen=True, slots=True)
class Round:
    """One layout in one round.

    latency: microseconds, by percentile, at the fixed rate. achieved, throughput: answers per second. late: requests
    that were sent after their time. cpu_paced, cpu_saturated: microseconds of processor time per request on ingress and
    the workers, at the fixed rate and at saturation, less what they use without requests.
    """

    latency: dict[int, float]
    achieved: float
    late: int
    errors: int
    throughput: float
    cpu_paced: float
    cpu_saturated: float


@dataclass(frozen=True, slots=True)
class PathResult:
    """Everything that was measured; paths and rounds by the name of the layout."""

    options: Options
    conditions: Conditions
    paths: dict[str, list[RequestPath]]
    rounds: dict[str, list[Round]]


def measure(
    lab: Lab, connections: Connections, options: Options, recorder: Recorder, note: Callable[[str], None]
) -> PathResult:
    """Add the second layout, trace and measure both, and remove it again. Raises LabctlError."""
    require_own_box(lab)
    note("adding the controller as a pod, its NodePort Service and a load balancer on ingress")
    with both_layouts(lab, connections):
        paths: dict[str, list[RequestPath]] = {}
        rounds: dict[str, list[Round]] = {layout.name: [] for layout in LAYOUTS}
        for layout in LAYOUTS:
            note(f"tracing {options.traced} requests: {layout.title}")
            paths[layout.name] = trace(lab, connections, layout, requests=options.traced)
            saturated(lab, connections, layout, seconds=_WARM_UP_SECONDS)
        for number in range(options.rounds):
            note(f"round {number + 1} of {options.rounds}")
            meter = _Meter(lab, options.seconds)
            for layout in LAYOUTS if number % 2 == 0 else reversed(LAYOUTS):
                rounds[layout.name].append(_round(lab, connections, layout, options, meter))
        conditions = recorder.conditions()
        note("removing what was added")
    return PathResult(options, conditions, paths, rounds)


def measured_machines(lab: Lab) -> tuple[Machine, ...]:
    """The machines whose processor time is counted: all but the client's."""
    return (lab.ingress, *lab.workers)


def _round(lab: Lab, connections: Connections, layout: Layout, options: Options, meter: _Meter) -> Round:
    meter.restart()
    slow = paced(lab, connections, layout, rate=options.rate, seconds=options.seconds)
    cpu_paced = meter.per_request(slow.requests)
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
    """Processor time per request, less what the machines use while idle: that is measured when it is created."""

    def __init__(self, lab: Lab, seconds: float) -> None:
        self._lab, self._idle = lab, 0.0
        self.restart()
        time.sleep(seconds)
        self._idle = self._used() / (time.monotonic() - self._started)

    def restart(self) -> None:
        """Count from now on."""
        self._started, self._before = time.monotonic(), cpu_seconds(self._lab, measured_machines(self._lab))

    def per_request(self, requests: int) -> float:
        """Microseconds for each of so many requests since the last restart; restarts."""
        used = self._used() - self._idle * (time.monotonic() - self._started)
        self.restart()
        return used / requests * 1e6

    def _used(self) -> float:
        return cpu_seconds(self._lab, measured_machines(self._lab)) - self._before
