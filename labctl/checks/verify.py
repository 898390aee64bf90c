"""verify: fetch the facts, judge the checks, look closer where something fails, report. Changes nothing in the lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from labctl.checks.catalogue import all_checks, near_checks
from labctl.checks.check import Check, CheckResult, Layer
from labctl.checks.closer_look import look_closer
from labctl.checks.collect import OnAnswer, collect, collect_near
from labctl.checks.facts import Facts
from labctl.checks.report import Report, make_report
from labctl.checks.settling import is_settling
from labctl.checks.this_host import strain
from labctl.checks.verdict import judge
from labctl.model.lab import Lab
from labctl.ssh.connections import Connections

OnReport = Callable[[Report], None]
Keep = Callable[[Report, Facts], None]
"""Gets what one look at the lab brought, whole: for the picture, and for what is kept of it."""

PAUSE_SECONDS = 0.5
"""Between two looks at the lab."""
SETTLE_SECONDS = 20.0
"""How long verify waits at most for a lab that is following a change."""


def verify(
    lab: Lab,
    connections: Connections,
    *,
    layers: Collection[Layer] | None = None,
    on_report: OnReport | None = None,
    on_answer: OnAnswer | None = None,
    keep: Keep | None = None,
) -> Report:
    """Every check, now. A failure is looked at again for some seconds if somebody has just changed the lab's objects,
    and once if this host is so busy that an answer may have been late.

    layers: report only these, and what below them is to blame. on_report: gets each look's report. keep: gets it whole,
    whatever the layers, and the facts. on_answer: as collect's. Never raises for what is broken in the lab.
    """
    until = time.monotonic() + SETTLE_SECONDS
    late_answers = strain(connections.host) > 1
    while True:
        report, facts = _look(lab, connections, layers, on_answer, keep)
        if on_report:
            on_report(report)
        again = late_answers or is_settling(facts, lab)
        if report.ok or not again or time.monotonic() > until:
            return report
        late_answers = False
        _pause(lab, report, until)


def verify_once(
    lab: Lab, connections: Connections, *, on_answer: OnAnswer | None = None, keep: Keep | None = None
) -> Report:
    """As verify, but without a second look."""
    return _look(lab, connections, None, on_answer, keep)[0]


def glance(lab: Lab, connections: Connections) -> Report:
    """What the machines' own answers tell, within half a second: a part of verify's checks, the lower layers.

    verify waits for requests that get no answer; this does not.
    """
    started = time.monotonic()
    results = _judged(lab, connections, collect_near(lab, connections), near_checks)
    return make_report(lab, results, time.monotonic() - started)


def _look(
    lab: Lab,
    connections: Connections,
    layers: Collection[Layer] | None,
    on_answer: OnAnswer | None,
    keep: Keep | None,
) -> tuple[Report, Facts]:
    started = time.monotonic()
    facts = collect(
        lab,
        connections,
        on_answer,
        lambda near: look_closer(lab, connections, near, judge(near_checks(lab, near), near)),
    )
    results = _judged(lab, connections, facts, all_checks)
    seconds = time.monotonic() - started
    if keep:
        keep(make_report(lab, results, seconds), facts)
    return make_report(lab, results, seconds, layers or ()), facts


def _judged(
    lab: Lab, connections: Connections, facts: Facts, checks: Callable[[Lab, Facts], tuple[Check, ...]]
) -> tuple[CheckResult, ...]:
    """The results of these checks, with a closer look where something fails."""
    results = judge(checks(lab, facts), facts)
    closer = look_closer(lab, connections, facts, results)
    return results if closer is facts else judge(checks(lab, closer), closer)


def judge_facts(lab: Lab, facts: Facts) -> Report:
    """The report on facts that were fetched earlier: a pure function."""
    return make_report(lab, judge(all_checks(lab, facts), facts), 0.0)


def wait(
    lab: Lab,
    connections: Connections,
    seconds: float,
    *,
    layers: Collection[Layer] | None = None,
    on_report: OnReport | None = None,
    on_answer: OnAnswer | None = None,
    keep: Keep | None = None,
) -> Report:
    """Verify again and again until all passes or the time is up; the last report. on_report and keep get each try's."""
    until = time.monotonic() + seconds
    while True:
        report, _ = _look(lab, connections, layers, on_answer, keep)
        if on_report:
            on_report(report)
        if report.ok or time.monotonic() >= until:
            return report
        _pause(lab, report, until)


def _pause(lab: Lab, report: Report, until: float) -> None:
    """An emulated machine is busy with answering; it needs time for itself to become well."""
    seconds = max(PAUSE_SECONDS, report.seconds if lab.emulated else 0.0)
    time.sleep(max(0.0, min(seconds, until - time.monotonic())))
