"""Networks that this host already routes, against the networks of a lab."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from labctl.host.routes import HostRoute
from labctl.model.lab import Lab


@dataclass(frozen=True, slots=True)
class Overlap:
    """A key of labctl.yaml whose network overlaps one that the host routes."""

    key: str
    network: IPv4Network
    route: HostRoute

    def __str__(self) -> str:
        by = f" by {self.route.interface}" if self.route.interface else ""
        return f"{self.key} {self.network} overlaps {self.route.network}, which this host routes{by}"


def find_overlaps(lab: Lab, routes: list[HostRoute]) -> list[Overlap]:
    """Where the lab's networks overlap the host's; what the lab itself brought is left out."""
    network = lab.network
    mine = {
        "network.subnet": network.subnet,
        "network.pod_cidr": network.pod_cidr,
        "network.service_cidr": network.service_cidr,
    }
    return [
        Overlap(key, own, route)
        for key, own in mine.items()
        for route in routes
        if own.overlaps(route.network) and not _is_own(lab, route)
    ]


def _is_own(lab: Lab, route: HostRoute) -> bool:
    """Whether the lab's own interface brought the route. Windows has one for each address of the host, too."""
    if route.interface == lab.bridge:
        return True
    return route.interface.startswith(lab.provider.traits.interfaces) and route.network.subnet_of(lab.network.subnet)
