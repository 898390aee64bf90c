"""What the checks of the upper layers stand on: the state of the machines that they are about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from labctl.checks.check import Check, Layer
from labctl.model.lab import Lab, Machine

PACKETS = (
    "firewall",
    "shaping",
    "address",
    "mtu",
    "rp_filter",
    "neighbours",
    "arp",
    "forwarding",
    "default",
    "ttl",
    "connections",
)
"""Checks of a machine that explain lost packets."""
LIFE = ("processes", "disk", "memory", "clock")
"""Checks of a machine that explain why its programs do not work."""
_ON_ROUTERS = ("forwarding", "default")
_CREDENTIALS = (Layer.CLUSTER, Layer.CALICO, Layer.PROXY)


def machine_ids(machines: Iterable[Machine], kinds: Iterable[str] = (*PACKETS, *LIFE)) -> tuple[str, ...]:
    """The ids of these checks of these machines; route.lan and route.rules with those of packets."""
    chosen = tuple(kinds)
    found = []
    for machine in machines:
        mine = [kind for kind in chosen if machine.forwards or kind not in _ON_ROUTERS]
        found += [f"machine.{kind}.{machine.name}" for kind in mine]
        if "firewall" in mine:
            found += [f"route.{kind}.{machine.name}" for kind in ("lan", "rules")]
    return tuple(found)


def standing_on(lab: Lab, check: Check) -> Check:
    """The same check, explained by its machines' state too: where a layer beneath is broken, that is the cause."""
    if check.layer in (Layer.HOST, Layer.MACHINE) or check.id.startswith(("route.lan.", "route.rules.")):
        return check
    names = {machine.name for machine in lab.machines}
    about = {check.machine, *check.id.split(".")} & names
    if check.probe == "api" or "cluster.api" in check.needs:
        about.add(lab.controlplane.name)
    if check.layer is Layer.HTTP:
        about.add(lab.ingress.name)
    ordered = [machine for machine in lab.machines if machine.name in about]
    more = machine_ids(ordered)
    if check.layer in _CREDENTIALS:
        more += machine_ids(ordered, ("certificates",))
        more += machine_ids((machine for machine in ordered if machine.is_node), ("kubeconfigs",))
    return replace(check, explained_by=tuple(dict.fromkeys((*check.explained_by, *more))))
