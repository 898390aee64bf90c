"""Layer cluster: no policy keeps the application's pods from what ingress sends them."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.checks.policies import Packet, forbidden_by, how_to_show, selecting
from labctl.checks.subjects import ready_endpoints, require_api
from labctl.facts.cluster import Pod
from labctl.facts.policies import Policy
from labctl.model.lab import Lab, Source


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """The one check."""
    return [
        Check(
            id="cluster.policy",
            layer=Layer.CLUSTER,
            machine=lab.controlplane.name,
            title="No policy keeps ingress from the application's pods",
            expected="each pod lets in what ingress sends to its port",
            command="kubectl get networkpolicies -A",
            run=policy,
            probe="api",
            needs=("cluster.api",),
        )
    ]


def policy(facts: Facts, lab: Lab) -> Outcome:
    """Every ready pod of the application lets in what each ingress machine sends to its port."""
    require_api(facts, "networkpolicies", "pods", "endpoints")
    kept = list(_kept_away(facts, lab))
    if not kept:
        return passed(_about(facts, lab))
    pod, reason = kept[0]
    pods = {pod.name for pod, _ in kept}
    cause = (
        f"{reason} forbids what {lab.ingress.name} sends to {counted(len(pods), 'pod')} of the application ({pod.name})"
    )
    return failed(f"forbidden: {listed(sorted(pods))}", cause, how_to_show(reason))


def _kept_away(facts: Facts, lab: Lab) -> Iterator[tuple[Pod, Policy]]:
    """The application's pods from which a policy keeps some ingress machine, with that policy."""
    ports = {endpoint.address: endpoint.port for endpoint in ready_endpoints(facts, lab) if endpoint.pod}
    for pod in facts.cluster.pods:
        port = ports.get(str(pod.address))
        if port is None:
            continue
        packets = [Packet(ingress.address, "TCP", port) for ingress in lab.ingresses]
        found = [forbidden_by(lab, facts.cluster, pod, packet) for packet in packets]
        yield from ((pod, reason) for reason in found if reason is not None)


def _about(facts: Facts, lab: Lab) -> str:
    """Which policies the application's pods have."""
    if lab.source is Source.DEBIAN and facts.cluster.policies:
        return "what stands in for Calico enforces no policy"
    addresses = {endpoint.address for endpoint in ready_endpoints(facts, lab)}
    mine = [pod for pod in facts.cluster.pods if str(pod.address) in addresses]
    found = sorted({str(item) for pod in mine for item in selecting(lab, facts.cluster, pod)})
    return f"selected by {listed(found, most=3)}" if found else "none selects them"
