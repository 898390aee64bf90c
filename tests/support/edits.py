"""Small edits that turn the facts of a healthy lab into those of a broken one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from labctl.checks.facts import Facts, MachineFacts
from labctl.facts.kubernetes import api_paths
from labctl.host.command import CommandResult
from labctl.model.calico import AGGREGATED, API_VERSION

Text = Callable[[str], str]
Items = Callable[[list[dict[str, Any]]], None]

# A firewall rule of somebody's own, as nft lists it.
RULE = (
    "table ip mine {\n\tchain c {\n\t\ttype filter hook input priority 0; policy accept;\n"
    "\t\ttcp dport 8080 drop\n\t}\n}\n"
)


def with_machine(facts: Facts, machine: MachineFacts) -> Facts:
    return replace(facts, machines={**facts.machines, machine.name: machine})


def with_result(facts: Facts, name: str, probe: str, **changes: Any) -> Facts:
    """One probe's result with other fields."""
    machine = facts.on(name)
    old = machine.results.get(probe, CommandResult(probe, 0, "", "", 0.0))
    return with_machine(facts, replace(machine, results={**machine.results, probe: replace(old, **changes)}))


def with_text(facts: Facts, name: str, probe: str, change: Text) -> Facts:
    """One probe's output, changed."""
    old = facts.on(name).results[probe].stdout
    new = change(old)
    assert new != old, f"the edit of {probe} on {name} changes nothing"
    return with_result(facts, name, probe, stdout=new)


def without_machine(facts: Facts, name: str, error: str = "no SSH connection to it: timed out") -> Facts:
    """A machine that does not answer."""
    return with_machine(facts, MachineFacts(name, error, seconds=5.0))


def with_json(facts: Facts, name: str, probe: str, change: Items) -> Facts:
    """The list of objects that `ip -json` printed, changed in place."""

    def edit(text: str) -> str:
        items = json.loads(text)
        change(items)
        return json.dumps(items)

    return with_text(facts, name, probe, edit)


def with_objects(facts: Facts, kind: str, change: Items) -> Facts:
    """The objects of one kind in the API's answer, changed in place."""

    def edit(text: str) -> str:
        path = "|".join(re.escape(api_paths(api)[kind]) for api in (API_VERSION, AGGREGATED))
        pattern = re.compile(rf"^(\{{.*\}})(\s+labctl-url 200 \S+(?:{path})(?: .*)?)$", re.MULTILINE)
        found = pattern.search(text)
        assert found, kind
        body = json.loads(found[1])
        change(body["items"])
        return text[: found.start()] + json.dumps(body) + found[2] + text[found.end() :]

    return with_text(facts, facts.controlplane, "api", edit)


def with_unit(
    facts: Facts, name: str, unit: str, active: str = "inactive", sub: str = "dead", result: str = "success"
) -> Facts:
    """A unit in another state."""

    def edit(text: str) -> str:
        blocks = text.split("\n\n")
        for index, block in enumerate(blocks):
            if f"Id={unit}" in block:
                for key, value in (("ActiveState", active), ("SubState", sub), ("Result", result)):
                    blocks[index] = re.sub(f"^{key}=.*$", f"{key}={value}", blocks[index], flags=re.MULTILINE)
        return "\n\n".join(blocks)

    return with_text(facts, name, "units", edit)


def _headers(text: str) -> list[tuple[int, str]]:
    return [
        (match.start(), match[1])
        for match in re.finditer(r"^(\S+)\s+\S+\s+\S+\s+(?:up|start|down)\s", text, re.MULTILINE)
    ]


def with_session(facts: Facts, name: str, peer: str, *, state: str = "Active", error: str = "", **values: str) -> Facts:
    """The session with that peer on a machine, no longer established.

    values: other details, `Neighbor_AS` for `Neighbor AS`.
    """

    def edit(text: str) -> str:
        at = [start for start, _ in _headers(text)] + [len(text)]
        for start, end in pairwise(at):
            part = text[start:end]
            if re.search(f"Neighbor address: {re.escape(peer)}$", part, re.MULTILINE):
                return text[:start] + _unestablished(part, state, error, values) + text[end:]
        return text

    return with_text(facts, name, "protocols", edit)


def _unestablished(part: str, state: str, error: str, values: dict[str, str]) -> str:
    running = "down" if state == "Down" else "start"
    part = re.sub(
        r"\bup(\s+\S+\s+)Established[ \t]*",
        f"{running}\\1{'' if state == 'Down' else state}    {error}",
        part,
        count=1,
    )
    part = part.replace("BGP state:          Established", f"BGP state:          {state}")
    part = re.sub(r"(\d+) imported, (\d+) exported, (\d+) preferred", "0 imported, 0 exported, 0 preferred", part)
    if error:
        part = part.replace("  Channel ipv4", f"    Last error:       {error}\n  Channel ipv4")
    for key, value in values.items():
        part = re.sub(f"{key.replace('_', ' ')}:(\\s+)\\S+", f"{key.replace('_', ' ')}:\\g<1>{value}", part)
    return part


def without_session(facts: Facts, name: str, peer: str) -> Facts:
    """No session with that peer in a machine's BIRD."""

    def edit(text: str) -> str:
        at = [start for start, _ in _headers(text)] + [len(text)]
        parts = [text[start:end] for start, end in pairwise(at)]
        kept = [part for part in parts if f"Neighbor address: {peer}\n" not in part]
        return text[: at[0]] + "".join(kept)

    return with_text(facts, name, "protocols", edit)


def said(stdout: str, status: int = 0) -> CommandResult:
    """What a command printed."""
    return CommandResult("asked", status, stdout, "", 0.01)


def set_item(index: int, *keys: str, value: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(items: list[dict[str, Any]]) -> None:
        item: Any = items[index]
        for key in keys[:-1]:
            item = item[int(key)] if isinstance(item, list) else item[key]
        item[keys[-1]] = value

    return change


def drop(items: list[dict[str, Any]], **keys: str) -> None:
    items[:] = [item for item in items if any(item.get(key) != value for key, value in keys.items())]


def without_prefix(prefix: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = text.splitlines(keepends=True)
        at = next(index for index, line in enumerate(lines) if line.startswith(prefix))
        return "".join(lines[:at] + lines[at + 2 :])

    return change
