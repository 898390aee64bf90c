"""Layer proxy: what the controller may read, as the API decides it (RBAC)."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed
from labctl.checks.credentials import CONTROLLER_GROUP, CONTROLLER_NAME
from labctl.checks.facts import Facts
from labctl.json_text import read_json
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
        allowed = _read_answers(facts.on(lab.controlplane.name).output("controller-rights"))
    except (ValueError, KeyError, TypeError) as error:
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


def _read_answers(text: str) -> dict[str, bool]:
    """Whether each kind of object may be listed, of what credentials.rights_command printed.

    Raises ValueError, KeyError or TypeError where the API did not answer a question.
    """
    found = {}
    for line in text.splitlines():
        if line.startswith("{"):
            review = read_json(line)
            if "spec" not in review:
                raise ValueError(review.get("message", line[:200]))
            found[str(review["spec"]["resourceAttributes"]["resource"])] = bool(review["status"]["allowed"])
    if not found:
        raise ValueError(text.strip()[:200] or "nothing")
    return found
