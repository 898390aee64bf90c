"""Layer route, first of all: what BIRD outside the cluster learned gets into the kernel at all."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, counted, failed, passed
from labctl.checks.facts import Facts
from labctl.checks.why_no_route import kernel_route
from labctl.facts.bird import BirdRoutes
from labctl.model.lab import Lab


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """The one check: what is wrong with one node's block alone is that block's own check (route.py)."""
    return [_learned_check(here.name) for here in lab.outside]


def _learned_check(name: str) -> Check:
    return Check(
        id=f"route.learned.{name}",
        layer=Layer.ROUTE,
        machine=name,
        title=f"BIRD on {name} brings what it learned into the kernel",
        expected="next hops that it can resolve, and routes in the kernel",
        command="birdc show route",
        run=lambda facts, lab: learned(facts, lab, name),
        probe="bird-routes",
        needs=(f"machine.{name}",),
        explained_by=(f"bgp.{name}", f"bgp.config.{name}", f"machine.address.{name}"),
    )


def learned(facts: Facts, lab: Lab, name: str) -> Outcome:
    """Of several learned blocks, not all are unreachable, and not all are missing in the kernel."""
    here = facts.on(name)
    routes = [route for route in here[BirdRoutes] if route.best and route.network.subnet_of(lab.network.pod_cidr)]
    words = f"{counted(len(routes), 'block')} learned"
    if len(routes) < 2:
        return passed(words)
    if all(route.kind == "unreachable" for route in routes):
        cause = f"BIRD on {name} can't resolve the next hop of any block that it learned: its sessions lack `direct`"
        return failed(f"{words}, all unreachable", cause, f"labctl ssh {name} -- cat /etc/bird/bird.conf")
    if all(kernel_route(here, route.network) is None for route in routes):
        cause = f"BIRD on {name} knows {words.replace(' learned', '')} but its kernel protocol writes none of them"
        return failed(f"{words}, none in the kernel", cause, f"labctl birdc {name} show protocols all kernel1")
    return passed(words)
