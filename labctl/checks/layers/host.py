"""Layer host: is there a way from this host to the lab, and does the application's name lead there?"""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed, skipped
from labctl.checks.facts import Facts
from labctl.checks.host_facts import name_command, route_command
from labctl.checks.layers import bridge
from labctl.checks.run_here import NOT_FOUND
from labctl.facts.json_output import read_objects
from labctl.model.lab import Lab


def checks(lab: Lab, facts: Facts) -> list[Check]:
    """All checks of this layer."""
    return [
        Check(
            id="host.route",
            layer=Layer.HOST,
            machine="host",
            title=f"This host stands on the lab's network {lab.network.subnet}",
            expected="a route to ingress without a gateway",
            command=" ".join(route_command(lab)).replace(" -json", ""),
            run=route,
            explained_by=("host.bridge",) if lab.provider.traits.makes_bridge else (),
        ),
        *bridge.checks(lab, facts),
        Check(
            id="host.name",
            layer=Layer.HOST,
            machine="host",
            title=f"{lab.app.host} means ingress on this host",
            expected=str(lab.entry),
            command=" ".join(name_command(lab)),
            run=name,
        ),
    ]


def route(facts: Facts, lab: Lab) -> Outcome:
    """The kernel reaches ingress directly, over an interface on the lab's network."""
    result = facts.host.route
    if result.status == NOT_FOUND:
        return skipped("this host has no program ip (iproute2, on Linux) to ask")
    if not result.ok:
        return failed(result.stderr.strip() or f"status {result.status}", _not_up(lab), "labctl up")
    found = read_objects(result.stdout)
    way: dict[str, str] = next((item for item in found if "dev" in item), {})
    if "gateway" in way or not way:
        via = f"via {way['gateway']} dev {way['dev']}" if way else "no route"
        return failed(via, _not_up(lab), "labctl up")
    return passed(f"dev {way['dev']}")


def _not_up(lab: Lab) -> str:
    return f"no interface of this host has an address in {lab.network.subnet}: the lab's network is not there"


def name(facts: Facts, lab: Lab) -> Outcome:
    """The name resolves to ingress; not at all is no fault, as `labctl hosts --apply` is the user's choice."""
    found = facts.host.name_addresses
    if not found:
        return skipped(f"{lab.app.host} is not known here; `labctl hosts --apply` adds it to /etc/hosts")
    if found == (str(lab.entry),):
        return passed(found[0])
    cause = f"this host resolves {lab.app.host} to {listed(found)}, ingress is {lab.entry}: look at /etc/hosts"
    return failed(listed(found), cause, f"grep -n {lab.app.host} /etc/hosts")
