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
