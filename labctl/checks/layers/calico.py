"""Layer calico: the agent on each node, the CNI configuration, and the objects that configure Calico."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labctl.checks.calico_objects import block, configuration, mesh_words, peer, pool
from labctl.checks.check import CheckId, Layer, Lesson, Outcome, failed, listed, passed
from labctl.checks.declare import (
    API,
    Declaration,
    Declarations,
    Subject,
    adds_to,
    answers,
    api_ready,
    each_node,
    machine_state,
    named,
    of_machine,
    on_controlplane,
    room,
)
from labctl.checks.facts import Facts
from labctl.checks.why_unit_is_down import unit_runs
from labctl.facts.fact import ParseError
from labctl.facts.json_output import read_json
from labctl.facts.kubernetes import CALICO_KINDS, Api
from labctl.facts.pods import CniFiles, CniPlugins
from labctl.facts.systemd import AGENT_UNIT, Units
from labctl.model.lab import Lab, Machine, Mesh, Source

CHECKS = Declarations(Layer.CALICO)
check = adds_to(CHECKS, Declaration)


def agent_pod(facts: Facts, _lab: Lab, node: Machine) -> Outcome:
    """Real Calico: the node's pod of DaemonSet calico-node is ready."""
    facts.require_api("pods")
    pods = [pod for pod in facts.cluster.pods if pod.node == node.name and pod.labels.get("k8s-app") == "calico-node"]
    if not pods:
        return failed(
            "no calico-node pod", f"no calico-node pod was scheduled to {node.name}", "labctl kubectl get tigerastatus"
        )
    pod = pods[0]
    if pod.ready:
        return passed(f"{pod.name} is ready")
    words = f"{pod.name} is {pod.phase}: {pod.reason}"
    return failed(words, words, f"labctl kubectl -n {pod.namespace} logs {pod.name} -c calico-node --tail=20")


def agent(facts: Facts, lab: Lab, node: Machine) -> Outcome:
    """The unit of what stands in for the agent is active; of real Calico, the node's pod is ready."""
    if lab.source is Source.DEBIAN:
        return unit_runs(AGENT_UNIT, facts, lab, node)
    return agent_pod(facts, lab, node)


def _explains_agent(lab: Lab, node: Machine) -> Iterable[CheckId]:
    if lab.source is Source.UPSTREAM:
        yield answers(node)
        yield from of_machine(node, "kubelet", "containerd", layer=Layer.CLUSTER)
    yield from room(lab, node)


def _agent_command(lab: Lab, node: Machine) -> str:
    if lab.source is Source.DEBIAN:
        return f"systemctl status {AGENT_UNIT.removesuffix('.service')}"
    return f"kubectl -n calico-system get pods -o wide --field-selector spec.nodeName={node.name}"


check(
    "agent",
    agent,
    on=each_node,
    reads=(Units,),
    own_fact=lambda lab, _node: Units if lab.source is Source.DEBIAN else Api,
    title="Calico's agent runs on {machine}",
    expected=lambda lab, _node: (
        f"{AGENT_UNIT}: active (running)" if lab.source is Source.DEBIAN else "pod calico-node is ready"
    ),
    command=_agent_command,
    lesson=Lesson(
        "running pods continue; this node does not learn new blocks, peers and routes.",
        "The agent turns Calico's objects into BIRD's configuration and the node's routes.",
        "Start it: it reads everything again.",
    ),
    needs=lambda lab, node: (answers(node),) if lab.source is Source.DEBIAN else (API,),
    explained_by=_explains_agent,
    stand_in=True,
)


def cni(facts: Facts, _lab: Lab, node: Machine) -> Outcome:
    """A CNI configuration is there, and the first by name (which containerd takes) is Calico's."""
    configurations = facts.on(node.name)[CniFiles]
    files = list(configurations)
    hint = f"labctl ssh {node.name} -- ls -l /etc/cni/net.d"
    if not files:
        return failed(
            "no configuration", f"{node.name} has no CNI configuration in /etc/cni/net.d: pods get no network", hint
        )
    first = configurations[files[0]]
    if "calico" not in first:
        cause = f"containerd takes the first CNI configuration by name, {files[0]}, and that is not Calico's"
        return failed(listed(files), _not_json(first, files[0], node) or cause, hint)
    broken = _not_json(first, files[0], node)
    if broken:
        return failed(f"{files[0]} is not JSON", broken, f"labctl ssh {node.name} -- python3 -m json.tool {files[0]}")
    missing = sorted(_plugins(read_json(first)) - facts.on(node.name)[CniPlugins])
    if missing:
        cause = f"/opt/cni/bin/{missing[0]} on {node.name} is missing or may not be run, and {files[0]} names it"
        return failed(f"no plugin {listed(missing)}", cause, f"labctl ssh {node.name} -- ls -l /opt/cni/bin")
    return passed(files[0])


def _not_json(text: str, file: str, node: Machine) -> str:
    try:
        read_json(text)
    except ParseError as error:
        return f"{file} on {node.name} is {error}: pods get no network"
    return ""


def _plugins(configuration: Any) -> set[str]:
    """Every plugin that a CNI configuration names (CNI spec 1.0: `type`, in plugins and in their ipam)."""
    if isinstance(configuration, list):
        return {name for item in configuration for name in _plugins(item)}
    if not isinstance(configuration, dict):
        return set()
    nested = {name for key in ("plugins", "ipam") for name in _plugins(configuration.get(key))}
    own = configuration.get("type")
    return nested | ({own} if isinstance(own, str) and own != "calico-ipam" else set())


check(
    "cni",
    cni,
    on=each_node,
    reads=(CniFiles, CniPlugins),
    title="The container runtime on {machine} finds Calico's CNI configuration",
    expected="a configuration that names calico in /etc/cni/net.d",
    command="grep . /etc/cni/net.d/*.conflist",
    lesson=Lesson(
        "new pods on this node stay in ContainerCreating.",
        "For each new pod the container runtime uses the first CNI configuration by name and runs the plugins that "
        "it names.",
        "Restore the file, or the plugin.",
    ),
    explained_by=lambda _lab, node: of_machine(node, "agent", layer=Layer.CALICO),
    stand_in=True,
)


def kinds(facts: Facts, lab: Lab) -> Outcome:
    """Every kind that the lab's steps install is served, and its objects can be read."""
    errors = {name: facts.cluster.errors[name] for name in CALICO_KINDS if name in facts.cluster.errors}
    if not errors:
        return passed(listed(CALICO_KINDS))
    name, error = next(iter(errors.items()))
    kind = f"{name}.{lab.calico_group}"
    if error.startswith("HTTP 404"):
        cause = f"the API has no kind {kind}: its CustomResourceDefinition was deleted"
        return failed(f"{name}: HTTP 404", cause, "labctl kubectl get crds")
    return failed(
        f"{name}: {error}", f"an object of kind {kind} can't be used: {error}", f"labctl kubectl get {kind} -o yaml"
    )


check(
    "kinds",
    kinds,
    on=on_controlplane,
    reads=(Api,),
    title="The API knows Calico's kinds of objects",
    expected=f"{listed(CALICO_KINDS)} of {{lab.calico_api}}",
    command="kubectl api-resources --api-group={lab.calico_group}",
    lesson=Lesson(
        "kubectl reports that the server doesn't have that resource type.",
        "Calico's objects are custom resources. Without their definition the API does not know them, and deleting "
        "the definition deletes them all.",
        "Run `labctl up`: it installs the definitions and the lab's objects again.",
    ),
    needs=api_ready,
)


def kinds_known(*_: object) -> tuple[CheckId, ...]:
    """The API knows Calico's kinds of objects."""
    return (Layer.CALICO.check("kinds"),)


check(
    "pool",
    pool,
    on=on_controlplane,
    reads=(Api,),
    title="Pods get their addresses from the lab's pool",
    expected="{lab.network.pod_cidr} in blocks of /{lab.network.block_size}",
    command="kubectl get ippools",
    lesson=Lesson(
        "new pods get no address once the existing blocks are full.",
        "Calico cuts blocks from an IPPool. A disabled pool, or one of another network, gives none.",
        "Correct the IPPool. `labctl up` applies the lab's own again.",
    ),
    needs=api_ready,
    explained_by=kinds_known,
    stand_in=True,
)


check(
    "bgp",
    configuration,
    on=on_controlplane,
    reads=(Api,),
    title="Calico has the lab's AS number",
    expected=lambda lab: f"AS {lab.network.as_number}, {mesh_words(lab.bgp.mesh is Mesh.FULL)}",
    command="kubectl get bgpconfigurations",
    lesson=Lesson(
        "sessions with ingress or between nodes do not come up, or end with Bad peer AS.",
        "BGPConfiguration default sets the nodes' AS number and whether they peer with each other.",
        "Correct the number and nodeToNodeMeshEnabled.",
    ),
    needs=api_ready,
    explained_by=kinds_known,
    stand_in=True,
)


def _each_peer(lab: Lab, _facts: Facts) -> Iterable[Subject]:
    return (Subject(lab, (peer,), lab.controlplane.name, ("", named(peer))) for peer in lab.peers)


check(
    "peer",
    peer,
    on=_each_peer,
    reads=(Api,),
    title="Calico's nodes have {0.name} as BGP peer",
    expected=lambda lab, machine: f"{machine.address} as {lab.as_number(machine)}, for each node",
    command="kubectl get bgppeers",
    lesson=Lesson(
        "BIRD on ingress is in state Active for one node or for all: that node opens no session.",
        "A node opens a session with each BGPPeer that applies to it, and with nobody else outside the mesh.",
        "Correct the BGPPeer's address, AS number and scope.",
    ),
    needs=api_ready,
    explained_by=lambda lab, _machine: (
        *kinds_known(),
        *machine_state((lab.controlplane,)),
        *machine_state((lab.controlplane,), ("certificates", "kubeconfigs")),
    ),
    by_machines=False,
    stand_in=True,
)


check(
    "block",
    block,
    on=each_node,
    title="{machine} has a block of the pod network",
    expected="a confirmed /{lab.network.block_size} of {lab.network.pod_cidr} that no other node has",
    command="kubectl get blockaffinities",
    lesson=Lesson(
        "nobody else knows a route to the pods of this node.",
        "Each node has its own blocks of the pod network. The BlockAffinity says which, and BIRD announces them. "
        "When they are full, Calico claims another one, as long as the pool has one left.",
        "Restart Calico's agent on the node: it claims its block again. If no block is left, run fewer pods, or "
        "make a lab with a larger `pod_cidr` or smaller blocks (`block_size`).",
    ),
    needs=api_ready,
    explained_by=lambda _lab, node: (
        *of_machine(node, "agent", layer=Layer.CALICO),
        answers(node),
        *of_machine(node, "node", layer=Layer.CLUSTER),
        Layer.CALICO.check("pool"),
        Layer.CALICO.check("kinds"),
    ),
    stand_in=True,
)
