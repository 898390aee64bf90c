"""The failover measurements as tables and data."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.bench.conditions import Watch
from labctl.bench.failover.cases import Case, Timers
from labctl.bench.failover.measure import Measured
from labctl.bench.failover.stream import PATIENCE, RATE
from labctl.bench.figures import Figures, Table, shown
from labctl.bench.statistics import spread


def figures(watch: Watch, found: Sequence[Measured], cases: Sequence[Case], timers: Sequence[Timers]) -> Figures:
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
    told = tuple(_words(one) for one in timers)
    return Figures(
        name="failover",
        title="Failover: seconds without service, and requests lost",
        conditions=watch.conditions(),
        tables=(Table(("what dies", *(one.name for one in timers)), tuple(rows)),),
        notes=(
            f"{RATE} requests a second from this host to the shared address, each on a connection of its own; one that "
            f"has no HTTP 200 after {PATIENCE:g} s is lost. Away is the longest time without any that was answered; "
            "where it is short and many are lost, some pods answered and others did not.",
            *told,
            "BFD stands between BIRD on ingress and the BIRD of Calico's stand-in. Real Calico has no BFD.",
        ),
        data={"rate": RATE, "patience_seconds": PATIENCE, "measured": data},
    )


def _words(one: Timers) -> str:
    bfd = ", BFD every 200 ms, five times" if one.bfd else ""
    return f"{one.name}: BGP hold time {one.hold_time} s{bfd}, VRRP every {one.advert_interval:g} s."
