"""All layers, bottom up."""

from __future__ import annotations

from labctl.checks.check import Check
from labctl.checks.facts import Facts
from labctl.checks.layers import (
    app,
    bgp,
    calico,
    cluster,
    frontends,
    host,
    http,
    lan,
    learned,
    machine,
    policy,
    proxy,
    reach,
    rights,
    route,
    shared,
)
from labctl.checks.layers.beneath import standing_on
from labctl.model.lab import Lab

_NEAR = (host, machine, cluster, app, policy, calico, bgp, lan, learned, route)
_LAYERS = (*_NEAR, reach, rights, frontends, proxy, shared, http)


def all_checks(lab: Lab, facts: Facts) -> tuple[Check, ...]:
    """Every check of this lab, bottom up: for each machine, node, session and pod that the lab and the facts know."""
    return tuple(standing_on(lab, check) for layer in _LAYERS for check in layer.checks(lab, facts))


def near_checks(lab: Lab, facts: Facts) -> tuple[Check, ...]:
    """Those that need each machine's own answers alone: no request through ingress, and no packet to a pod."""
    return tuple(standing_on(lab, check) for layer in _NEAR for check in layer.checks(lab, facts))
