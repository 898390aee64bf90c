"""Whether the lab may still be following a change of a moment ago, so that a failure may pass by itself."""

from __future__ import annotations

from math import inf

from labctl.checks.facts import Facts
from labctl.facts.haproxy import HaproxyStatistics
from labctl.model.lab import Lab, Source

_KUBERNETES = ("pods", "services", "endpoints", "deployments", "ingresses", "ingressclasses", "networkpolicies")
_KUBERNETES_SECONDS = {Source.DEBIAN: 3.0, Source.UPSTREAM: 6.0}
"""Kubelets and the stand-in follow at once; HAProxy's controller every 5 s (--sync-period, its documentation 3.2)."""
_CALICO = ("ippools", "bgpconfigurations", "bgppeers")
_CALICO_SECONDS = 8.0
"""BIRD's `connect delay time` is 5 s (BIRD's documentation 2.0, BGP); then the routes follow."""


def is_settling(facts: Facts, lab: Lab) -> bool:
    """Whether somebody wrote such an object so recently that not everybody may have followed, or a server is rising."""
    seconds = dict.fromkeys(_KUBERNETES, _KUBERNETES_SECONDS[lab.source]) | dict.fromkeys(_CALICO, _CALICO_SECONDS)
    if any(facts.cluster.last_changes.get(kind, inf) < most for kind, most in seconds.items()):
        return True
    found = [facts.on(ingress.name).get(HaproxyStatistics) for ingress in lab.ingresses]
    return any(server.is_rising for statistics in found if statistics for server in statistics.servers)
