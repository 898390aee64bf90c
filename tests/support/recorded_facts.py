"""The facts of a real, healthy lab, as `json.dumps(asdict(facts))` wrote them.

Recorded before labctl had a client of its own in the cluster; its certificate and the answers on the controller's
rights were put in by hand, in the form in which the API gives them.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from labctl.checks.facts import Facts, HostFacts, HttpAnswer, HttpFacts, MachineFacts
from labctl.host.command import CommandResult

_FILE = Path(__file__).parents[1] / "unit" / "checks" / "healthy_lab.json.gz"


def recorded_facts() -> Facts:
    """The facts of a healthy lab: LXC, source debian, network 192.168.141.0/24."""
    data = json.loads(gzip.decompress(_FILE.read_bytes()))
    http = data["http"]
    return Facts(
        host=HostFacts(
            CommandResult(**data["host"]["route"]),
            CommandResult(**data["host"]["neighbours"]),
            tuple(data["host"]["name_addresses"]),
            tuple(data["host"].get("pinged", ())),
            {address: CommandResult(**way) for address, way in data["host"].get("ways", {}).items()},
            CommandResult(**data["host"]["links"]) if data["host"].get("links") else None,
            data["host"].get("clock", 0.0),
            {name: _machine(item) for name, item in data["host"].get("inside", {}).items()},
            CommandResult(**data["host"]["firewall"]) if data["host"].get("firewall") else None,
            data["host"].get("load", 0.0),
            data["host"].get("filters_bridges", False),
        ),
        machines={name: _machine(item) for name, item in data["machines"].items()},
        reach=_machine(data["reach"]),
        http=HttpFacts(
            tuple(HttpAnswer(**item) for item in http["answers"]),
            HttpAnswer(**http["unknown"]),
            {name: HttpAnswer(**item) for name, item in http.get("direct", {}).items()},
        ),
        controlplane=data["controlplane"],
        reach_of_others={name: _machine(item) for name, item in data.get("reach_of_others", {}).items()},
    )


def _machine(item: dict[str, Any]) -> MachineFacts:
    results = {name: CommandResult(**result) for name, result in item["results"].items()}
    return MachineFacts(item["name"], item["error"], results, item["clock_offset"], item["seconds"])
