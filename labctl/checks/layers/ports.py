"""The TCP ports that matter to the lab: a firewall rule for another one is nobody's trouble."""

from __future__ import annotations

from contextlib import suppress

from labctl.checks.facts import Facts, MissingFact
from labctl.facts.fact import ParseError
from labctl.facts.sockets import Listeners

_DAEMONS = frozenset({22, 53, 80, 179, 443, 1024, 1042, 2379, 2380, 5473, 6443, 8080, 10250, 10256})
"""SSH, DNS, HAProxy, BGP, etcd, Typha, the API, pods, the kubelet, kube-proxy: also where they do not run just now."""
LAST_OF_NOBODY = 29999
"""Above it are Kubernetes' NodePorts (30000 on) and the kernel's own choices for clients (32768 on)."""


def lab_ports(facts: Facts) -> frozenset[int]:
    """Where something of the lab listens: on its machines, in its pods, behind its Services."""
    found = set(_DAEMONS)
    for machine in facts.machines.values():
        with suppress(MissingFact, ParseError):
            found |= {item.port for item in machine[Listeners]}
    found |= {endpoint.port for endpoints in facts.cluster.endpoints.values() for endpoint in endpoints}
    found |= {pod.port for pod in facts.cluster.pods if pod.port}
    return frozenset(found)
