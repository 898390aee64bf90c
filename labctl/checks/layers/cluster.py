"""Layer cluster: etcd, the API, the nodes, and the application's objects."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from labctl.checks.application import APP_NAME, INGRESS_CLASS, deployment, ingress, service
from labctl.checks.check import CheckId, Layer, Lesson, Outcome, Status, failed, listed, passed
from labctl.checks.declare import (
    Declaration,
    Declarations,
    adds_to,
    answers,
    api_ready,
    each_node,
    machine_state,
    of_machine,
    on_controlplane,
    room,
)
from labctl.checks.facts import Facts
from labctl.checks.policies import policy
from labctl.checks.why_no_api import missing_manifest, unreadable, why_no_api
from labctl.checks.why_unit_is_down import unit_runs
from labctl.facts.cluster import DaemonSet, Node, Pod
from labctl.facts.kubernetes import CALICO_KINDS, MANIFESTS, Api, EtcdHealth, StaticPods
from labctl.facts.systemd import CONTAINERD_UNIT, CONTROL_PLANE_PARTS, ETCD_UNIT, KUBELET_UNIT, Units
from labctl.model.lab import Lab, Machine, Source

CHECKS = Declarations(Layer.CLUSTER)
check = adds_to(CHECKS, Declaration)
_OWN_NAMESPACES = ("kube-", "calico-", "tigera-")

check(
    "containerd",
    partial(unit_runs, CONTAINERD_UNIT),
    on=each_node,
    reads=(Units,),
    title="containerd runs on {machine}",
    expected=f"{CONTAINERD_UNIT}: active (running)",
    command="systemctl status containerd",
    lesson=Lesson(
        "no container starts or stops on this node; running ones continue.",
        "The kubelet has containerd run the containers and asks it for their state.",
        "Correct its configuration and start it. The kubelet then continues by itself.",
    ),
    explained_by=room,
)
check(
    "kubelet",
    partial(unit_runs, KUBELET_UNIT),
    on=each_node,
    reads=(Units,),
    title="The kubelet runs on {machine}",
    expected=f"{KUBELET_UNIT}: active (running)",
    command="systemctl status kubelet",
    lesson=Lesson(
        "after 40 seconds the node is NotReady, after 5 minutes its pods are replaced on other nodes.",
        "The kubelet reports to the API every 10 seconds that its node is alive, and starts the pods of its node.",
        "Fix what its log names and start it.",
    ),
    explained_by=lambda lab, node: (*of_machine(node, "containerd", layer=Layer.CLUSTER), *room(lab, node)),
)


def _has_unit(lab: Lab) -> bool:
    """Whether etcd is a unit of the control plane, not a static pod."""
    return lab.source is Source.DEBIAN


def etcd_health(facts: Facts, lab: Lab) -> Outcome:
    """etcd runs, and says itself that it is healthy; with an alarm, such as NOSPACE, it answers and stores nothing."""
    name = lab.controlplane.name
    unit = _has_unit(lab)
    running = unit_runs(ETCD_UNIT, facts, lab, lab.controlplane) if unit else static_pod("etcd", facts, lab)
    if running.status is Status.FAIL:
        return running
    result = facts.on(name).results.get(EtcdHealth.name)
    said = result.stdout.strip() if result else ""
    if result is None or '"health":"true"' in said.replace(" ", ""):
        return running
    words = said or (result.stderr.strip().splitlines() or ["no answer"])[-1]
    last = facts.on(name).last_words(ETCD_UNIT if unit else "etcd")
    more = f"; last log message: {last}" if last and not said else ""
    log = "journalctl -u etcd -n 20" if unit else "tail -n 20 /var/log/pods/kube-system_etcd-*/etcd/*.log"
    return failed(words, f"etcd on {name} is not healthy: {words}{more}", f"labctl ssh {name} -- {log}")


def static_pod(part: str, facts: Facts, lab: Lab) -> Outcome:
    """The control plane's kubelet has the manifest of that static pod."""
    name = lab.controlplane.name
    cause = missing_manifest(facts, lab, part)
    if cause:
        return failed("no manifest", cause, f"labctl ssh {name} -- ls -l {MANIFESTS}")
    return passed(f"static pod {part} on {name}")


check(
    "etcd",
    etcd_health,
    on=on_controlplane,
    reads=(Units, EtcdHealth, StaticPods),
    title="etcd runs",
    expected=lambda lab: f"{ETCD_UNIT}: active (running)" if _has_unit(lab) else "a healthy static pod",
    command=lambda lab: "systemctl status etcd" if _has_unit(lab) else "crictl ps --name etcd",
    lesson=Lesson(
        "kubectl hangs or times out. Traffic through ingress continues: HAProxy has what it needs.",
        "The API server keeps all its objects in etcd and is not ready without it.",
        "Start etcd, and read its log if it does not stay up.",
    ),
    explained_by=lambda lab: of_machine(lab.controlplane, "disk", "memory", "clock"),
)


def api(facts: Facts, lab: Lab) -> Outcome:
    """/readyz is ok, and every question was answered."""
    cluster = facts.cluster
    broken = [line[3:] for line in cluster.readyz.splitlines() if line.startswith("[-]")]
    name = lab.controlplane.name
    if unread := unreadable(facts, lab):
        return unread
    if "readyz" in cluster.errors or broken:
        observed = listed(broken) or cluster.errors["readyz"]
        return failed(observed, why_no_api(facts, lab, broken), f"labctl ssh {name} -- journalctl -u kubelet -n 20")
    refused = [f"{question}: {error}" for question, error in cluster.errors.items() if question not in CALICO_KINDS]
    if refused:
        return failed(
            listed(refused, most=2),
            "the API does not answer every question",
            "labctl kubectl get --raw /readyz?verbose",
        )
    return passed(f"readyz check passed, {cluster.version}")


def _explains_api(lab: Lab) -> Iterable[CheckId]:
    node = lab.controlplane
    machine = of_machine(node, "disk", "memory", "certificates", "clock", "address", "firewall")
    runs = of_machine(node, "kubelet", "containerd", layer=Layer.CLUSTER)
    return (Layer.CLUSTER.check("etcd"), *runs, *machine)


check(
    "api",
    api,
    on=on_controlplane,
    reads=(Api, StaticPods),
    title="The Kubernetes API is ready",
    expected="readyz check passed",
    command="kubectl get --raw /readyz?verbose",
    lesson=Lesson(
        "kubectl reports that the connection was refused, or hangs. Traffic through ingress continues.",
        "Everything in Kubernetes is written to the API server and read from it. The kubelet of the control plane "
        "runs it as a static pod.",
        "Check the manifest in /etc/kubernetes/manifests and the container's log. The kubelet restarts it.",
    ),
    explained_by=_explains_api,
)


def node_ready(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """The node is there, ready, and known by its address on the lab network."""
    facts.require_api("nodes")
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
    words = f"; last log message: {said}" if said else ""
    return f"the kubelet of {machine.name} runs but does not report to the API{words}{facts.host.unread_firewall}"


def _takes_pods(node: Node) -> Outcome:
    """Nobody has told the node to take no pods."""
    if node.unschedulable:
        cause = f"{node.name} accepts no new pods: somebody cordoned or drained it (spec.unschedulable)"
        return failed("Ready, SchedulingDisabled", cause, f"labctl kubectl uncordon {node.name}")
    if node.taints:
        cause = f"{node.name} accepts no pods that do not tolerate its taint {listed(node.taints)}"
        hint = f"labctl kubectl taint node {node.name} {node.taints[0]}-"
        return failed(f"Ready, tainted {listed(node.taints)}", cause, hint)
    return passed(f"Ready, InternalIP {node.internal_ip}")


check(
    "node",
    node_ready,
    on=each_node,
    title="Node {machine} is ready and has its lab address",
    expected="Ready, InternalIP {0.address}",
    command="kubectl get node {machine} -o wide",
    lesson=Lesson(
        "pods are pending, or all run on the other nodes.",
        "The scheduler assigns pods to nodes that are ready, have room and do not repel them.",
        "Undo what is named: uncordon the node, remove the taint, or restart the kubelet to register it again.",
    ),
    needs=api_ready,
    explained_by=lambda _lab, node: (
        answers(node),
        *of_machine(node, "kubelet", "containerd", layer=Layer.CLUSTER),
        *of_machine(node, "cni", layer=Layer.CALICO),
        *of_machine(node, "disk", "memory", "clock"),
    ),
)


def system_pods(facts: Facts, lab: Lab) -> Outcome:
    """All pods of the cluster's own namespaces are ready, or have done their work; others are their users' business."""
    facts.require_api("pods")
    pods = [pod for pod in facts.cluster.pods if pod.namespace.startswith(_OWN_NAMESPACES) and not pod.deleting]
    missing = [name for name in _static_pods(lab) if not any(pod.name == name for pod in pods)]
    broken = [pod for pod in pods if not pod.ready and pod.phase != "Succeeded"]
    if not pods:
        return failed("no pod", "the cluster's own pods are missing", "labctl up")
    if missing:
        part = missing[0].removesuffix(f"-{lab.controlplane.name}")
        cause = missing_manifest(facts, lab, part) or (
            f"{part} does not run on {lab.controlplane.name}: the kubelet there has no static pod of that name"
        )
        hint = f"labctl ssh {lab.controlplane.name} -- ls -l {MANIFESTS}"
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


def _static_pods(lab: Lab) -> list[str]:
    """What kubeadm has the control plane's kubelet run, as the API names it (kubeadm: static Pod manifests)."""
    parts = [part for part in CONTROL_PLANE_PARTS if part != "etcd" or lab.source is Source.UPSTREAM]
    return [f"{part}-{lab.controlplane.name}" for part in parts]


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


check(
    "system",
    system_pods,
    on=on_controlplane,
    reads=(Api,),
    title="The cluster's own pods run",
    expected="each pod in the namespaces of Kubernetes and Calico is ready",
    command="kubectl get pods -A",
    lesson=Lesson(
        "automatic work stops: new pods stay pending, endpoints are not updated.",
        "The control plane's own programs are pods, too. Each does one kind of work, and nothing replaces it.",
        "Restore its manifest or its DaemonSet.",
    ),
    needs=api_ready,
    explained_by=lambda lab: (
        id_ for node in lab.nodes for id_ in (*of_machine(node, "node", "kubelet", layer=Layer.CLUSTER), answers(node))
    ),
)
check(
    "app",
    deployment,
    on=on_controlplane,
    reads=(Api,),
    title="The application's pods are ready",
    expected="at least one pod, and all of them ready",
    command=f"kubectl get pods -l run={APP_NAME} -o wide",
    lesson=Lesson(
        "503 from ingress, or fewer pods than wanted.",
        "Only ready pods get requests. A pod is ready when its container runs and its readiness probe passes.",
        "Correct the Deployment: the events in `kubectl describe pod` show what was tried.",
    ),
    needs=api_ready,
    explained_by=lambda lab: (
        *(
            id_
            for node in lab.nodes
            for id_ in (
                *of_machine(node, "node", layer=Layer.CLUSTER),
                answers(node),
                *of_machine(node, "cni", "agent", "block", layer=Layer.CALICO),
            )
        ),
        Layer.CALICO.check("pool"),
    ),
)
check(
    "service",
    service,
    on=on_controlplane,
    reads=(Api,),
    title="The application's Service leads to its ready pods",
    expected="one endpoint per ready pod, on a port where it listens",
    command=f"kubectl describe service {APP_NAME}",
    lesson=Lesson(
        "503 from ingress, although all pods are ready.",
        "A Service selects its pods by their labels and sends to one port. Matches become endpoints, and only "
        "endpoints become servers of HAProxy. Which ports the containers declare does not matter.",
        "Make the selector and the target port match the pods.",
    ),
    needs=api_ready,
    explained_by=lambda lab: (
        Layer.CLUSTER.check("app"),
        Layer.CLUSTER.check("ingress"),
        *machine_state((*lab.nodes, lab.ingress), ("firewall",)),
    ),
)
check(
    "ingress",
    ingress,
    on=on_controlplane,
    reads=(Api,),
    title=f"An Ingress of class {INGRESS_CLASS} serves {{lab.app.host}}",
    expected="an Ingress that leads http://{lab.app.host}/ to a Service and port that exist",
    command="kubectl describe ingress",
    lesson=Lesson(
        "404 from ingress.",
        "An Ingress maps a host name and a path to a Service. The controller handles those whose "
        "`ingressClassName` is its own, or that have none; it ignores the old annotation.",
        "Correct the host, path, class and Service.",
    ),
    needs=api_ready,
)
check(
    "policy",
    policy,
    on=on_controlplane,
    reads=(Api,),
    title="No policy blocks ingress from the application's pods",
    expected="each pod accepts what ingress sends to its port",
    command="kubectl get networkpolicies -A",
    lesson=Lesson(
        "503 from ingress, while the pods are ready and answer each other.",
        "A pod that a NetworkPolicy selects receives only what some rule allows. Ingress is no pod and has no labels.",
        "Allow the addresses of the ingress machines with an ipBlock, or delete the policy.",
    ),
    needs=api_ready,
)
