"""Layer proxy: what the controller may read, as the API decides it (RBAC)."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.facts.fact import ParseError
from labctl.facts.kubernetes import CONTROLLER_GROUP, CONTROLLER_NAME, ControllerRights
from labctl.model.lab import Lab


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """The one check."""
    name = lab.controlplane.name
    return [
        Check(
            id="proxy.rights",
            layer=Layer.PROXY,
            machine=name,
            title="The API lets the controller read what it needs",
            expected="each kind of object may be listed",
            command=f"kubectl auth can-i --list --as={CONTROLLER_NAME} --as-group={CONTROLLER_GROUP}",
            run=rights,
            probe="controller-rights",
            needs=("cluster.api",),
        )
    ]


def rights(facts: Facts, lab: Lab) -> Outcome:
    """The controller may list each kind of object that it reads."""
    try:
        allowed = facts.on(lab.controlplane.name)[ControllerRights]
    except ParseError as error:
        cause = "the API did not say what the controller may read"
        return failed(f"no answer: {error}", cause, "labctl kubectl get --raw /readyz")
    refused = [kind for kind, may in allowed.items() if not may]
    if not refused:
        return passed(f"may read {listed(allowed)}")
    kinds = listed(refused)
    bound = f"no ClusterRole that is bound to group {CONTROLLER_GROUP} allows it"
    cause = f"the controller may not read {kinds} (forbidden): {bound}"
    hint = "labctl kubectl describe clusterrole,clusterrolebinding haproxy-ingress"
    return failed(f"forbidden: {kinds}", cause, hint)
