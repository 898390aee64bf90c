"""Layer cluster: etcd, the API, the nodes, and the application's objects."""

from __future__ import annotations

from dataclasses import replace

from labctl.checks.causes import unit_state, why_unit_is_down
from labctl.checks.check import Check, Layer, Outcome, Status, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.checks.layers.certificates import no_reader
from labctl.checks.layers.units import unit_check
from labctl.checks.subjects import require_api
from labctl.facts.certificates import READER, Certificates
from labctl.facts.cluster import DaemonSet, Node, Pod
from labctl.facts.kubernetes import API_PATHS, API_PORT, EtcdHealth
from labctl.facts.sockets import Listeners
from labctl.facts.systemd import CONTAINERD_UNIT, ETCD_UNIT, KUBELET_UNIT
from labctl.model.lab import Lab, Machine, Source

_OWN_NAMESPACES = ("kube-", "calico-", "tigera-")


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """All checks of this layer but the application's (app.py)."""
    found = []
    for node in lab.nodes:
        machine = (f"machine.disk.{node.name}", f"machine.memory.{node.name}")
        found += [
            unit_check(
                f"cluster.containerd.{node.name}",
                Layer.CLUSTER,
                node.name,
                CONTAINERD_UNIT,
                f"containerd runs on {node.name}",
                explained_by=machine,
            ),
            unit_check(
                f"cluster.kubelet.{node.name}",
                Layer.CLUSTER,
                node.name,
                KUBELET_UNIT,
                f"The kubelet runs on {node.name}",
                explained_by=(f"cluster.containerd.{node.name}", *machine),
            ),
        ]
    if lab.source is Source.DEBIAN:
        found.append(_etcd_check(lab.controlplane))
    found.append(_api_check(lab))
    return [*found, *(_node_check(lab, node) for node in lab.nodes), _system_check(lab)]


def _etcd_check(controlplane: Machine) -> Check:
    name = controlplane.name
    basis = (f"machine.disk.{name}", f"machine.memory.{name}", f"machine.clock.{name}")
    title = "etcd runs"
    check = unit_check("cluster.etcd", Layer.CLUSTER, name, ETCD_UNIT, title, explained_by=basis)

    def run(facts: Facts, lab: Lab) -> Outcome:
        outcome = check.run(facts, lab)
        return outcome if outcome.status is Status.FAIL else etcd_health(facts, lab, outcome)

    return replace(check, run=run)


def etcd_health(facts: Facts, lab: Lab, running: Outcome) -> Outcome:
    """etcd's own word on its health; with an alarm, such as NOSPACE, it answers and stores nothing."""
    name = lab.controlplane.name
    result = facts.on(name).results.get(EtcdHealth.name)
    said = result.stdout.strip() if result else ""
    if result is None or '"health":"true"' in said.replace(" ", ""):
        return running
    words = said or (result.stderr.strip().splitlines() or ["no answer"])[-1]
    last = facts.on(name).last_words(ETCD_UNIT)
    more = f"; its last words: {last}" if last and not said else ""
    hint = f"labctl ssh {name} -- journalctl -u etcd -n 20"
    return failed(words, f"etcd runs on {name} but is not healthy: {words}{more}", hint)


def _api_check(lab: Lab) -> Check:
    name = lab.controlplane.name
    basis = [f"{kind}.{name}" for kind in ("cluster.kubelet", "cluster.containerd", "machine.disk", "machine.memory")]
    etcd = ["cluster.etcd"] if lab.source is Source.DEBIAN else []
    return Check(
        id="cluster.api",
        layer=Layer.CLUSTER,
        machine=name,
        title="The Kubernetes API is ready",
        expected="readyz check passed",
        command="kubectl get --raw /readyz?verbose",
        run=api,
        probe="api",
        needs=(f"machine.{name}",),
        explained_by=(
            *etcd,
            *basis,
            f"machine.certificates.{name}",
            f"machine.clock.{name}",
            f"machine.address.{name}",
            f"machine.firewall.{name}",
        ),
    )


def api(facts: Facts, lab: Lab) -> Outcome:
    """/readyz is ok, and every question was answered."""
    cluster = facts.cluster
    broken = [line[3:] for line in cluster.readyz.splitlines() if line.startswith("[-]")]
    name = lab.controlplane.name
    if unread := _unread(facts, lab):
        return unread
    if "readyz" in cluster.errors or broken:
        observed = listed(broken) or cluster.errors["readyz"]
        return failed(observed, _why_no_api(facts, lab, broken), f"labctl ssh {name} -- journalctl -u kubelet -n 20")
    crds = {"ippools", "bgpconfigurations", "bgppeers", "blockaffinities"}
    refused = [f"{question}: {cluster.errors[question]}" for question in API_PATHS if question in cluster.errors]
    refused = [text for text in refused if text.split(":")[0] not in crds]
    if refused:
        return failed(
            listed(refused, most=2),
            "the API does not answer every question",
            "labctl kubectl get --raw /readyz?verbose",
        )
    return passed(f"readyz check passed, {cluster.version}")


def _unread(facts: Facts, lab: Lab) -> Outcome | None:
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


def _why_no_api(facts: Facts, lab: Lab, broken: list[str]) -> str:
    name = lab.controlplane.name
    etcd = unit_state(facts, name, ETCD_UNIT)
    if etcd and not etcd.running:
        return why_unit_is_down(facts, name, etcd).text
    if broken:
        return f"the API server says of itself that it is not ready: {listed(broken)}"
    said = facts.on(name).last_words("kube-apiserver")
    words = f"; its last words: {said}" if said else ""
    listening = [listener for listener in facts.on(name)[Listeners] if listener.port == API_PORT]
    if listening and all(listener.closed_to_others for listener in listening):
        return f"kube-apiserver on {name} listens on {listening[0].address} only, so no other machine reaches it"
    if not listening:
        return f"nothing listens on {name}'s port {API_PORT}: kube-apiserver does not run{words}"
    error = facts.cluster.errors.get("readyz", "")
    return f"kube-apiserver listens on {name}'s port {API_PORT} but does not answer: {error}{words}"


def _node_check(lab: Lab, node: Machine) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return node_ready(facts, node)

    kinds = ("cluster.kubelet", "cluster.containerd", "calico.cni", "machine.disk", "machine.memory", "machine.clock")
    basis = (f"machine.{node.name}", *(f"{kind}.{node.name}" for kind in kinds))
    return Check(
        id=f"cluster.node.{node.name}",
        layer=Layer.CLUSTER,
        machine=node.name,
        title=f"Node {node.name} is ready and has its lab address",
        expected=f"Ready, InternalIP {node.address}",
        command=f"kubectl get node {node.name} -o wide",
        run=run,
        needs=("cluster.api",),
        explained_by=basis,
    )


def node_ready(facts: Facts, machine: Machine) -> Outcome:
    """The node is there, ready, and known by its address on the lab network."""
    require_api(facts, "nodes")
    hint = f"labctl kubectl describe node {machine.name}"
    node = next((item for item in facts.cluster.nodes if item.name == machine.name), None)
    if node is None:
        cause = f"{machine.name} has not joined the cluster, or was deleted from it"
        return failed("no such node", cause, f"labctl ssh {machine.name} -- systemctl restart kubelet")
    if not node.ready:
        return failed(f"NotReady: {node.reason}", _why_not_ready(facts, machine, node), hint)
    if node.internal_ip != str(machine.address):
        cause = (
            f"the kubelet of {machine.name} registered another interface's address: its --node-ip is missing or wrong"
        )
        return failed(f"Ready, InternalIP {node.internal_ip or 'none'}", cause, hint)
    if node.pressure:
        return failed(
            f"Ready, {listed(node.pressure)}", f"{machine.name} is short of a resource: {listed(node.pressure)}", hint
        )
    return _takes_pods(node)


def _why_not_ready(facts: Facts, machine: Machine, node: Node) -> str:
    """The kubelet's own words; of one that has fallen silent, its log's."""
    if not node.reason.startswith("NodeStatusUnknown"):
        return f"the kubelet of {machine.name} says: {node.reason}"
    said = facts.on(machine.name).last_words(KUBELET_UNIT)
    words = f"; its last words: {said}" if said else ""
    return f"the kubelet of {machine.name} runs but does not report to the API{words}"


def _takes_pods(node: Node) -> Outcome:
    """Nobody has told the node to take no pods."""
    if node.unschedulable:
        cause = f"{node.name} takes no new pods: somebody cordoned or drained it (spec.unschedulable)"
        return failed("Ready, SchedulingDisabled", cause, f"labctl kubectl uncordon {node.name}")
    if node.taints:
        cause = f"{node.name} takes no pods that do not tolerate its taint {listed(node.taints)}"
        hint = f"labctl kubectl taint node {node.name} {node.taints[0]}-"
        return failed(f"Ready, tainted {listed(node.taints)}", cause, hint)
    return passed(f"Ready, InternalIP {node.internal_ip}")


def _system_check(lab: Lab) -> Check:
    nodes = [f"{kind}.{node.name}" for node in lab.nodes for kind in ("cluster.node", "cluster.kubelet", "machine")]
    return Check(
        id="cluster.system",
        layer=Layer.CLUSTER,
        machine=lab.controlplane.name,
        title="The cluster's own pods run",
        expected="every pod in the namespaces of Kubernetes and Calico is ready",
        command="kubectl get pods -A",
        run=system_pods,
        probe="api",
        needs=("cluster.api",),
        explained_by=tuple(nodes),
    )


def _static_pods(lab: Lab) -> list[str]:
    """What kubeadm has the control plane's kubelet run, as the API names it (kubeadm: static Pod manifests)."""
    return [f"kube-{part}-{lab.controlplane.name}" for part in ("apiserver", "controller-manager", "scheduler")]


def _absent(facts: Facts, lab: Lab) -> str:
    """Which DaemonSet that belongs on every node has no pod on one; empty if none lacks any."""
    wanted = ("kube-proxy",) if lab.source is Source.DEBIAN else ("kube-proxy", "calico-node")
    for name in wanted:
        sets = [item for item in facts.cluster.daemonsets if item.name == name]
        if not sets:
            return f"{name} runs nowhere: there is no DaemonSet of that name"
        for item in sets:
            mine = {pod.node for pod in facts.cluster.pods if pod.namespace == item.namespace and _is_of(pod, item)}
            missing = [node.name for node in lab.nodes if node.name not in mine]
            if missing:
                return f"{name} does not run on {listed(missing)}: its DaemonSet wants none there"
    return ""


def _is_of(pod: Pod, owner: DaemonSet) -> bool:
    return owner.selector.items() <= pod.labels.items()


def system_pods(facts: Facts, lab: Lab) -> Outcome:
    """All pods of the cluster's own namespaces are ready, or have done their work; others are their users' business."""
    require_api(facts, "pods")
    pods = [pod for pod in facts.cluster.pods if pod.namespace.startswith(_OWN_NAMESPACES) and not pod.deleting]
    missing = [name for name in _static_pods(lab) if not any(pod.name == name for pod in pods)]
    broken = [pod for pod in pods if not pod.ready and pod.phase != "Succeeded"]
    if not pods:
        return failed("no pod", "the cluster's own pods are missing", "labctl up")
    if missing:
        name = missing[0].removesuffix(f"-{lab.controlplane.name}")
        cause = f"{name} does not run on {lab.controlplane.name}: the kubelet there has no static pod of that name"
        hint = f"labctl ssh {lab.controlplane.name} -- ls -l /etc/kubernetes/manifests"
        return failed(f"missing: {listed(missing)}", cause, hint)
    absent = _absent(facts, lab)
    if absent:
        return failed(absent.partition(":")[0], absent, "labctl kubectl get daemonsets -A")
    if not broken:
        return passed(f"{len(pods)} pods are ready")
    words = listed(
        (f"{pod.full_name} on {pod.node or 'no node'} is {pod.phase} {pod.reason}".strip() for pod in broken), most=3
    )
    first = broken[0]
    return failed(words, words, f"labctl kubectl -n {first.namespace} describe pod {first.name}")
