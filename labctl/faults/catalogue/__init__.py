"""The list of all faults, by layer, bottom up."""

from __future__ import annotations

from labctl.faults.catalogue import app, bgp, calico, cluster, machine, packets, proxy, route
from labctl.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *machine.FAULTS,
    *packets.FAULTS,
    *cluster.FAULTS,
    *app.FAULTS,
    *calico.FAULTS,
    *bgp.FAULTS,
    *route.FAULTS,
    *proxy.FAULTS,
)

LEFT_OUT: dict[str, str] = {
    "clock off": "containers share the host's clock; set one wrong, and the host's is wrong",
    "full disk": "containers share the host's disk, filling it harms more than the lab; `tmp-full` fills a small one",
    "HAProxy killed": "the controller starts it again within a second: there is nothing to find",
    "netem": "not every kernel has it, and what a module would do to the host is not the lab's business",
    "hosts entry on this host": "/etc/hosts is the user's own; `hosts-entry-wrong` changes a machine's",
}
"""Faults that labctl does not have, and why."""
