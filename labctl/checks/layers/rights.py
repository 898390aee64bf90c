"""Layer proxy: what the controller may read, as the API decides it (RBAC)."""

from __future__ import annotations

from urllib.parse import urlsplit

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed
from labctl.checks.credentials import CONTROLLER_GROUP, CONTROLLER_NAME
from labctl.checks.facts import Facts
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
            expected="200 for each kind of object",
            command=f"kubectl auth can-i --list --as={CONTROLLER_NAME} --as-group={CONTROLLER_GROUP}",
            run=rights,
            probe="controller-rights",
            needs=("cluster.api",),
        )
    ]


def rights(facts: Facts, lab: Lab) -> Outcome:
    """Nothing that the controller reads is forbidden."""
    lines = facts.on(lab.controlplane.name).output("controller-rights").splitlines()
    answers = [line.split(maxsplit=1) for line in lines if len(line.split(maxsplit=1)) == 2]
    if not answers:
        return failed(
            "no answer", "the API did not say what the controller may read", "labctl kubectl get --raw /readyz"
        )
    refused = [(status, urlsplit(url).path.rpartition("/")[2]) for status, url in answers if status != "200"]
    if not refused:
        return passed(f"may read {listed(urlsplit(url).path.rpartition('/')[2] for _, url in answers)}")
    kinds = listed(kind for _, kind in refused)
    why = "forbidden" if refused[0][0] == "403" else f"HTTP {refused[0][0]}"
    bound = f"no ClusterRole that is bound to group {CONTROLLER_GROUP} allows it"
    cause = f"the controller may not read {kinds} ({why}): {bound}"
    hint = "labctl kubectl describe clusterrole,clusterrolebinding haproxy-ingress"
    return failed(f"{why}: {kinds}", cause, hint)
