"""Layer calico: the agent on each node, the CNI configuration, and the objects by which Calico is told what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.checks.layers.units import unit_check
from labctl.checks.subjects import blocks_of, of_machine, require_api
from labctl.facts.cluster import BgpPeer
from labctl.facts.fact import ParseError
from labctl.facts.json_output import read_json
from labctl.facts.kubernetes import CALICO_KINDS
from labctl.facts.pods import CniFiles, CniPlugins
from labctl.facts.systemd import AGENT_UNIT
from labctl.model.lab import Lab, Machine, Mesh, Source


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """All checks of this layer."""
    found = []
    for node in lab.nodes:
        found += [_agent_check(lab, node), _cni_check(lab, node)]
    found.append(_kinds_check(lab))
    found += [_pool_check(lab), _configuration_check(lab), *(_peer_check(lab, peer) for peer in lab.peers)]
    return [*found, *(_block_check(lab, node) for node in lab.nodes)]


def _kinds_check(lab: Lab) -> Check:
    return Check(
        id="calico.kinds",
        layer=Layer.CALICO,
        machine=lab.controlplane.name,
        title="The API knows Calico's kinds of objects",
        expected=f"{listed(CALICO_KINDS)} of projectcalico.org/v3",
        command="kubectl api-resources --api-group=projectcalico.org",
        run=kinds,
        probe="api",
        needs=("cluster.api",),
    )


def kinds(facts: Facts, _lab: Lab) -> Outcome:
    """Every kind that the lab's steps install is served, and its objects can be read."""
    errors = {name: facts.cluster.errors[name] for name in CALICO_KINDS if name in facts.cluster.errors}
    if not errors:
        return passed(listed(CALICO_KINDS))
    name, error = next(iter(errors.items()))
    hint = f"labctl kubectl get {name}.projectcalico.org -o yaml"
    if error.startswith("HTTP 404"):
        cause = f"the API has no kind {name}.projectcalico.org: its CustomResourceDefinition was deleted"
        return failed(f"{name}: HTTP 404", cause, "labctl kubectl get crds")
    return failed(f"{name}: {error}", f"an object of kind {name}.projectcalico.org can't be used: {error}", hint)


def _is_stand_in(lab: Lab) -> bool:
    return lab.source is Source.DEBIAN


def _agent_check(lab: Lab, node: Machine) -> Check:
    id_, title = f"calico.agent.{node.name}", f"Calico's agent runs on {node.name}"
    basis = (f"machine.disk.{node.name}", f"machine.memory.{node.name}")
    if _is_stand_in(lab):
        return unit_check(id_, Layer.CALICO, node.name, AGENT_UNIT, title, explained_by=basis, stand_in=True)

    beneath = [f"{kind}.{node.name}" for kind in ("machine", "cluster.kubelet", "cluster.containerd")]

    def run(facts: Facts, _lab: Lab) -> Outcome:
        return agent_pod(facts, node)

    return Check(
        id=id_,
        layer=Layer.CALICO,
        machine=node.name,
        title=title,
        expected="pod calico-node is ready",
        command=f"kubectl -n calico-system get pods -o wide --field-selector spec.nodeName={node.name}",
        run=run,
        needs=("cluster.api",),
        explained_by=(*beneath, *basis),
    )


def agent_pod(facts: Facts, node: Machine) -> Outcome:
    """Real Calico: the node's pod of DaemonSet calico-node is ready."""
    require_api(facts, "pods")
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


def _cni_check(lab: Lab, node: Machine) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return cni(facts, node)

    return Check(
        id=f"calico.cni.{node.name}",
        layer=Layer.CALICO,
        machine=node.name,
        title=f"The kubelet on {node.name} finds Calico's CNI configuration",
        expected="a configuration that names calico in /etc/cni/net.d",
        command="grep . /etc/cni/net.d/*.conflist",
        run=run,
        probe="cni",
        needs=(f"machine.{node.name}",),
        explained_by=(f"calico.agent.{node.name}",),
        stand_in=_is_stand_in(lab),
    )


def cni(facts: Facts, node: Machine) -> Outcome:
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


def _object_check(lab: Lab, id_: str, title: str, expected: str, run: Callable[[Facts, Lab], Outcome]) -> Check:
    return Check(
        id=id_,
        layer=Layer.CALICO,
        machine=lab.controlplane.name,
        title=title,
        expected=expected,
        command=_SHOW[id_.split(".")[1]],
        run=run,
        probe="api",
        needs=("cluster.api",),
        explained_by=("calico.kinds",),
        stand_in=_is_stand_in(lab),
    )


_SHOW = {
    kind: f"kubectl get {name}"
    for kind, name in (("pool", "ippools"), ("bgp", "bgpconfigurations"), ("peer", "bgppeers"))
}


def _pool_check(lab: Lab) -> Check:
    expected = f"{lab.network.pod_cidr} in blocks of /{lab.network.block_size}"
    return _object_check(lab, "calico.pool", "Pods get their addresses from the lab's pool", expected, pool)


def _configuration_check(lab: Lab) -> Check:
    expected = f"AS {lab.network.as_number}, {_mesh_words(lab.bgp.mesh is Mesh.FULL)}"
    return _object_check(lab, "calico.bgp", "Calico has the lab's AS number", expected, configuration)


def _peer_check(lab: Lab, machine: Machine) -> Check:
    expected = f"{machine.address} as {lab.as_number(machine)}, for every node"
    title = f"Calico's nodes know {machine.name} as BGP peer"

    def run(facts: Facts, _lab: Lab) -> Outcome:
        return peer(facts, lab, machine)

    return _object_check(lab, of_machine("calico.peer", machine), title, expected, run)


def pool(facts: Facts, lab: Lab) -> Outcome:
    """An enabled IPPool with the lab's network and block size."""
    require_api(facts, "ippools")
    words = listed(
        f"{item.name}: {item.cidr} /{item.block_size}{' disabled' if item.disabled else ''}"
        for item in facts.cluster.pools
    )
    wanted = (lab.network.pod_cidr, lab.network.block_size)
    if any((item.cidr, item.block_size) == wanted and not item.disabled for item in facts.cluster.pools):
        return passed(words)
    cause = f"no enabled IPPool has {lab.network.pod_cidr} in blocks of /{lab.network.block_size}"
    return failed(words or "no IPPool", cause, "labctl kubectl get ippools -o yaml")


def configuration(facts: Facts, lab: Lab) -> Outcome:
    """BGPConfiguration default has the lab's AS number, and its mesh or none (Calico's own defaults: 64512, on)."""
    require_api(facts, "bgpconfigurations")
    found = next((item for item in facts.cluster.bgp_configurations if item.name == "default"), None)
    number = 64512 if found is None or found.as_number is None else found.as_number
    mesh = found is None or found.mesh
    words = f"AS {number}, {_mesh_words(mesh)}" + ("" if found else " (no object: Calico's defaults)")
    hint = "labctl kubectl get bgpconfiguration default -o yaml"
    if number != lab.network.as_number:
        where = "BGPConfiguration default says" if found else "without BGPConfiguration default the nodes take"
        return failed(words, f"{where} AS {number}, the lab's is {lab.network.as_number}", hint)
    wanted = lab.bgp.mesh is Mesh.FULL
    if mesh != wanted:
        effect = "so nodes do not peer with each other" if wanted else f"but {lab.peers[0].name} reflects the routes"
        cause = f"BGPConfiguration default has nodeToNodeMeshEnabled: {str(mesh).lower()}, {effect}"
        return failed(words, cause, hint)
    return passed(words)


def _mesh_words(mesh: bool) -> str:
    return "full mesh" if mesh else "no mesh"


def peer(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Some BGPPeer names this machine with its AS number, for every node; none names a machine of no lab."""
    require_api(facts, "bgppeers")
    peers = facts.cluster.bgp_peers
    name, address, number = machine.name, str(machine.address), lab.as_number(machine)
    words = listed(f"{item.name}: {item.peer} as {item.as_number}" for item in peers) or "no BGPPeer"
    known = {str(item.address) for item in lab.machines}
    foreign = [item for item in peers if item.peer and item.peer.partition(":")[0] not in known]
    hint = "labctl kubectl get bgppeers -o yaml"
    mine = [item for item in peers if item.peer.partition(":")[0] == address]
    if not mine:
        cause = f"no BGPPeer names {name} ({address}), so no node opens a session with it"
        return failed(words, cause, "labctl kubectl get bgppeers")
    right = [item for item in mine if item.as_number == number]
    if not right:
        return failed(words, f"BGPPeer {mine[0].name} says AS {mine[0].as_number}, {name} has AS {number}", hint)
    missing = [node.name for node in lab.nodes if not any(_covers(item, node) for item in right)]
    if foreign and not missing:
        cause = f"BGPPeer {foreign[0].name} is for {foreign[0].peer}, which is no machine of the lab"
        return failed(words, cause, f"labctl kubectl delete bgppeers.projectcalico.org {foreign[0].name}")
    if missing:
        return failed(
            words, f"BGPPeer {right[0].name} is for `{right[0].scope}` only; {listed(missing)} has no such peer", hint
        )
    return passed(words)


def _covers(peer_: BgpPeer, node: Machine) -> bool:
    """Whether a BGPPeer is for this node, as far as its scope can be read; a selector of other labels is taken on
    trust.
    """
    if not peer_.scope or peer_.scope == node.name:
        return True
    if "hostname" in peer_.scope:
        return f"'{node.name}'" in peer_.scope or f'"{node.name}"' in peer_.scope
    return not peer_.scope.replace("-", "").replace(".", "").isalnum()


def _block_check(lab: Lab, node: Machine) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return block(facts, lab, node)

    return Check(
        id=f"calico.block.{node.name}",
        layer=Layer.CALICO,
        machine=node.name,
        title=f"{node.name} has a block of the pod network",
        expected=f"a confirmed /{lab.network.block_size} of {lab.network.pod_cidr}, no other node's",
        command="kubectl get blockaffinities",
        run=run,
        needs=("cluster.api",),
        explained_by=(
            *(f"{kind}.{node.name}" for kind in ("calico.agent", "machine", "cluster.node")),
            "calico.pool",
            "calico.kinds",
        ),
        stand_in=_is_stand_in(lab),
    )


def block(facts: Facts, lab: Lab, node: Machine) -> Outcome:
    """The node has confirmed blocks, inside the pod network, that no other node has."""
    require_api(facts, "blockaffinities")
    mine = blocks_of(node, facts)
    hint = "labctl kubectl get blockaffinities"
    if not mine:
        pending = [item for item in facts.cluster.blocks if item.node == node.name]
        words = listed(f"{item.cidr} {item.state}" for item in pending) or "no block"
        return failed(words, f"no BlockAffinity gives {node.name} a confirmed block", hint)
    words = listed(item.cidr for item in mine)
    outside = [item for item in mine if not item.cidr.subnet_of(lab.network.pod_cidr)]
    if outside:
        return failed(words, f"{outside[0].cidr} is not inside the pod network {lab.network.pod_cidr}", hint)
    twice = [
        other
        for item in mine
        for other in facts.cluster.blocks
        if other.node != node.name and other.cidr.overlaps(item.cidr)
    ]
    if twice:
        return failed(words, f"{twice[0].cidr} is claimed by {node.name} and by {twice[0].node}", hint)
    return passed(words)
