"""Layer route, beneath all sessions: on each machine the lab's own network is reached directly, all of it."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed
from labctl.checks.facts import Facts, MachineFacts
from labctl.checks.layers.packets import lab_nic
from labctl.facts.ip import Addresses, KernelRoute, LocalRoutes, Routes
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
    here = facts.on(machine.name)
    taken = _taken(here, lab, machine)
    if taken:
        cause = (
            f"{machine.name} takes {taken.destination.network_address} for its own: the route {taken} in its table "
            "`local` ends packets for it here"
        )
        hint = f"labctl ssh {machine.name} -- ip route del {taken.destination} table local"
        return failed(str(taken), cause, hint)
    routes = [route for route in here[Routes] if route.destination.subnet_of(lab.network.subnet)]
    wrong = [route for route in routes if route.kind != "unicast" or route.gateways]
    if not wrong:
        return _connected(here, lab, machine) or passed(listed(routes))
    route = wrong[0]
    hidden = [other.name for other in lab.machines if other.address in route.destination and other != machine]
    whom = listed(hidden) or "nobody of the lab"
    way = f"is a {route.kind}" if route.kind != "unicast" else f"leads via {listed(route.gateways)}"
    cause = (
        f"the route {route} on {machine.name} hides {whom}: it {way}, and goes before the directly connected network"
    )
    return failed(listed(wrong), cause, f"labctl ssh {machine.name} -- ip route del {route.destination}")


def _connected(here: MachineFacts, lab: Lab, machine: Machine) -> Outcome | None:
    """The route that the kernel makes with an address; without it packets for neighbours go to the gateway."""
    network = lab.network.subnet
    nic = lab_nic(here, machine)
    if nic is None or any(route.destination == network and route.kind == "unicast" for route in here[Routes]):
        return None
    cause = f"{machine.name} has no route to the lab's own network {network}: the directly connected one was deleted"
    return failed("no route", cause, f"labctl ssh {machine.name} -- ip route add {network} dev {nic.name} scope link")


def _taken(here: MachineFacts, lab: Lab, machine: Machine) -> KernelRoute | None:
    """A route of table `local` (the kernel keeps it for a machine's own addresses) for a pod or another machine."""
    others = {other.address for other in lab.machines if other != machine}
    own = {item.ip for nic in here[Addresses] for item in nic.addresses}
    for route in here.get(LocalRoutes) or ():
        address = route.destination.network_address
        foreign = address in others or address in lab.network.pod_cidr
        if route.kind == "local" and foreign and address not in own:
            return route
    return None
