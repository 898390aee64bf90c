"""Facts as JSON and back: for the tests' fixtures, and to show a broken lab to somebody who is not there."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from labctl.checks.facts import Facts, HostFacts, HttpAnswer, HttpFacts, MachineFacts
from labctl.host.command import CommandResult
from labctl.json_text import read_json


def dump_facts(facts: Facts) -> str:
    """The facts as indented JSON, the same bytes for the same facts."""
    return json.dumps(asdict(facts), indent=1, sort_keys=True) + "\n"


def load_facts(text: str) -> Facts:
    """The facts that dump_facts wrote. Raises ValueError, KeyError or TypeError for anything else."""
    data = read_json(text)
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
