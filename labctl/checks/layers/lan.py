"""Layer route, beneath all sessions: on each machine the lab's own network is reached directly, all of it."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.model.lab import Lab, Machine


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """A check per machine."""
    return [_check(machine) for machine in lab.machines]


def _check(machine: Machine) -> Check:
    def run(facts: Facts, lab: Lab) -> Outcome:
        return direct(facts, lab, machine)

    return Check(
        id=f"route.lan.{machine.name}",
        layer=Layer.ROUTE,
        machine=machine.name,
        title=f"{machine.name} reaches the lab's network directly",
        expected="one route, to the interface, and none for a part of it",
        command="ip route",
        run=run,
        probe="routes",
        needs=(f"machine.{machine.name}",),
        explained_by=(f"machine.address.{machine.name}",),
    )


def direct(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No route for the lab's network, or for a part of it, leads through a gateway or nowhere."""
    routes = [route for route in facts.on(machine.name).routes if route.destination.subnet_of(lab.network.subnet)]
    wrong = [route for route in routes if route.kind != "unicast" or route.gateways]
    if not wrong:
        return passed(listed(routes) or "no route")
    route = wrong[0]
    hidden = [other.name for other in lab.machines if other.address in route.destination and other != machine]
    whom = listed(hidden) or "nobody of the lab"
    way = f"is a {route.kind}" if route.kind != "unicast" else f"leads via {listed(route.gateways)}"
    cause = (
        f"the route {route} on {machine.name} hides {whom}: it {way}, and goes before the directly connected network"
    )
    return failed(listed(wrong), cause, f"labctl ssh {machine.name} -- ip route del {route.destination}")
