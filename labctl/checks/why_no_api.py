"""Why the Kubernetes API is not ready, or why labctl cannot read it."""

from __future__ import annotations

from labctl.checks.check import Outcome, failed, listed
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.machine_state import no_reader
from labctl.checks.why_unit_is_down import unit_state, why_unit_is_down
from labctl.facts.certificates import READER, Certificates
from labctl.facts.fact import ParseError
from labctl.facts.kubernetes import API_PORT, MANIFESTS, StaticPods
from labctl.facts.system import Listeners
from labctl.facts.systemd import ETCD_UNIT
from labctl.model.lab import Lab


def unreadable(facts: Facts, lab: Lab) -> Outcome | None:
    """What keeps labctl from reading an API that answers; None if nothing does."""
    errors, name = facts.cluster.errors, lab.controlplane.name
    certificates = facts.on(name).results.get(Certificates.name)
    if "readyz" in errors and certificates and certificates.stdout.strip() and READER not in certificates.stdout:
        return failed(f"missing: {READER}", no_reader(name), "labctl up")
    refused = next((text for text in errors.values() if text.startswith(("HTTP 401", "HTTP 403"))), "")
    if not refused:
        return None
    changed = f"{READER} or the ClusterRole labctl-reader is not as `labctl up` makes it"
    return failed(refused, f"the API does not let labctl read: {changed}", "labctl up")


def why_no_api(facts: Facts, lab: Lab, broken: list[str]) -> str:
    """What keeps it from being ready. broken: the parts that it says are not."""
    name = lab.controlplane.name
    etcd = unit_state(facts, name, ETCD_UNIT)
    if etcd and not etcd.running:
        return why_unit_is_down(facts, name, etcd).text
    if broken:
        return f"the API server reports that it is not ready: {listed(broken)}"
    said = facts.on(name).last_words("kube-apiserver")
    words = f"; last log message: {said}" if said else ""
    gone = missing_manifest(facts, lab, "kube-apiserver")
    if gone:
        return gone
    listening = [listener for listener in facts.on(name)[Listeners] if listener.port == API_PORT]
    if listening and all(listener.closed_to_others for listener in listening):
        return f"kube-apiserver on {name} listens on {listening[0].address} only, so no other machine can reach it"
    if not listening:
        return f"nothing listens on {name}'s port {API_PORT}: kube-apiserver does not run{words}"
    error = facts.cluster.errors.get("readyz", "")
    return f"kube-apiserver listens on {name}'s port {API_PORT} but does not answer: {error}{words}"


def missing_manifest(facts: Facts, lab: Lab, part: str) -> str:
    """That the control plane's kubelet has no manifest of this static pod; empty if it has one, or was not asked."""
    name = lab.controlplane.name
    try:
        there = facts.on(name)[StaticPods]
    except (MissingFact, ParseError):
        return ""
    return "" if part in there else f"{part} does not run on {name}: {MANIFESTS}/{part}.yaml is missing"
