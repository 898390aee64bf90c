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
    "clock off": "containers share the host's clock: a wrong time in one is a wrong time on the host",
    "full disk": "containers share the host's disk: filling it harms more than the lab; `tmp-full` fills a small one",
    "HAProxy killed": "the controller restarts it within a second: there is nothing to find",
    "netem": "not every kernel has it, and the lab loads no kernel modules on the host",
    "hosts entry on this host": "it belongs to the user; `hosts-entry-wrong` changes /etc/hosts of a machine",
}
"""Faults that labctl does not offer, and why."""
