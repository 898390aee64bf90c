"""Layer host on a host that has no ``ip``: macOS and Windows, where VirtualBox's machines run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labctl.checks.check import Status
from labctl.checks.layers.host import route
from labctl.host.command import CommandResult
from labctl.model.lab import Lab


def test_without_ip_there_is_nothing_to_say(healthy: Any, article_lab: Lab) -> None:
    missing = CommandResult("ip -json route get 192.168.50.21", 127, "", "No such file", 0.0)
    facts = replace(healthy, host=replace(healthy.host, route=missing))
    assert route(facts, article_lab).status is Status.SKIPPED
