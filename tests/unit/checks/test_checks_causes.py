"""Why a unit does not run, from what systemd shows of it."""

from __future__ import annotations

from support.edits import with_text

from labctl.checks.check import Cause
from labctl.checks.facts import Facts
from labctl.checks.why_unit_is_down import why_unit_is_down
from labctl.facts.systemd import Units

# Recorded on an ingress to which no step has come yet, in systemd's own order.
NEVER_STARTED = """Result=success
NRestarts=0
ExecMainStatus=0
Id=bird.service
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=disabled
StateChangeTimestamp=
"""
STOPPED = NEVER_STARTED.replace("Timestamp=", "Timestamp=Mon 2026-11-23 12:00:00 UTC").replace("disabled", "enabled")


def why(facts: Facts, shown: str) -> Cause:
    facts = with_text(facts, "ingress", "units", lambda _: shown)
    return why_unit_is_down(facts, "ingress", facts.on("ingress")[Units]["bird.service"])


def test_what_was_never_started_is_not_said_to_be_stopped(healthy: Facts) -> None:
    found = why(healthy, NEVER_STARTED)
    assert found.text == "bird.service on ingress does not run: systemd has no record of a start"
    assert found.hint == "labctl up"


def test_what_was_stopped_says_since_when(healthy: Facts) -> None:
    found = why(healthy, STOPPED)
    assert found.text == "bird.service on ingress was stopped on Mon 2026-11-23 12:00:00 UTC"
    assert found.hint == "labctl ssh ingress -- systemctl status bird"
