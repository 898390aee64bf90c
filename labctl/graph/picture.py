"""What a picture of the lab shows, before anything is drawn: from the model alone, or from the machines' answers."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from labctl.model.blocks import blocks_for
from labctl.model.lab import Lab, Role


@dataclass(frozen=True, slots=True)
class PodMark:
    """A pod. address: empty where nobody knows it yet. serving: HAProxy sends requests there; None: not known."""

    name: str
    address: str = ""
    serving: bool | None = None

    @property
    def label(self) -> str:
        """The last number of its address, or the word itself."""
        return "." + self.address.rpartition(".")[2] if self.address else "pod"


@dataclass(frozen=True, slots=True)
class NodeMark:
    """A node of the cluster. state and session: empty in a picture from the model alone.

    session: BIRD's words on ingress about its session with this node. established: None where nobody asked.
    routed: whether ingress's kernel has a route to the node's blocks, so that a request gets to its pods.
    """

    name: str
    role: Role
    address: str
    as_number: int
    blocks: tuple[str, ...]
    pods: tuple[PodMark, ...] = ()
    state: str = ""
    session: str = ""
    established: bool | None = None
    routed: bool | None = None

    @property
    def runs_pods(self) -> bool:
        """Whether requests go there."""
        return bool(self.pods)


@dataclass(frozen=True, slots=True)
class RouteMark:
    """A route of ingress's kernel: a block of pods through the node that has it."""

    block: str
    via: str


@dataclass(frozen=True, slots=True)
class IngressMark:
    """The machine outside the cluster. servers: HAProxy's, that work and all; None where nobody asked."""

    name: str
    address: str
    as_number: int
    routes: tuple[RouteMark, ...]
    servers: tuple[int, int] | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class RouterMark:
    """The machine between ingress and the nodes. session: BIRD's words on ingress about its session with this one.

    established: None where nobody asked. state: why it does not answer; empty otherwise.
    """

    name: str
    address: str
    as_number: int
    session: str = ""
    established: bool | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole lab. live: drawn from answers; otherwise from labctl.yaml, with the blocks that Calico will choose.

    entry: the address that clients ask. others: further ingress machines, name and address, with the same sessions.
    """

    lab: str
    subnet: str
    gateway: str
    pod_cidr: str
    host: str
    ingress: IngressMark
    nodes: tuple[NodeMark, ...]
    live: bool = False
    entry: str = ""
    others: tuple[tuple[str, str], ...] = ()
    router: RouterMark | None = None

    @property
    def sessions(self) -> str:
        """What BIRD on ingress has sessions with, in words."""
        return f"one BGP session, with {self.router.name}" if self.router else "one BGP session per node"

    @property
    def place(self) -> str:
        """Where ingress is, in words; with another machine beside it, the address that they share."""
        if not self.others:
            return "outside the cluster"
        short = "." + self.entry.rpartition(".")[2]
        return f"shares {short} with " + ", ".join(
            f"{name} (.{address.rpartition('.')[2]})" for name, address in self.others
        )

    @property
    def title(self) -> str:
        """One line: which lab."""
        return f"labctl lab “{self.lab}”"

    @property
    def description(self) -> str:
        """The picture in sentences, for those who do not see it."""
        nodes = "; ".join(_node_words(node) for node in self.nodes)
        return (
            f"A request for http://{self.host}/ goes to {self.ingress.name} ({self.ingress.address}), where HAProxy "
            f"sends it straight to a pod. BIRD there, AS {self.ingress.as_number}, learns over BGP which node has "
            f"which block of the pod network {self.pod_cidr}.{self._router_words()} Nodes: {nodes}."
            + self._other_words()
        )

    def _router_words(self) -> str:
        if self.router is None:
            return ""
        router = self.router
        return (
            f" It learns that from {router.name} ({router.address}, AS {router.as_number}), with which every node has "
            "its session, and which passes the packets on."
        )

    def _other_words(self) -> str:
        if not self.others:
            return ""
        names = ", ".join(f"{name} ({address})" for name, address in self.others)
        return f" {names} is built alike, with the same sessions; the address {self.entry} moves between them."

    @property
    def note(self) -> str:
        """Where the picture's facts come from."""
        return "as the machines answered" if self.live else "from labctl.yaml; blocks as Calico will choose them"


def _node_words(node: NodeMark) -> str:
    words = [f"{node.name} {node.address}", f"AS {node.as_number}", *node.blocks]
    if node.session:
        words.append(f"BGP {node.session}")
    if any(pod.address for pod in node.pods):
        words.append(f"pods {' '.join(pod.address for pod in node.pods)}")
    return ", ".join(words)


def predicted_blocks(lab: Lab) -> dict[str, IPv4Network]:
    """Each node's first block, by node name: the first in the node's own order that no node before it took."""
    taken: dict[str, IPv4Network] = {}
    network = lab.network
    for node in lab.nodes:
        for block in blocks_for(node.name, network.pod_cidr, network.block_size):
            if block not in taken.values():
                taken[node.name] = block
                break
    return taken


def picture_of_model(lab: Lab) -> Picture:
    """The lab as labctl.yaml describes it. The application's pods are spread over the workers in turn, as a guess."""
    blocks = predicted_blocks(lab)
    pods = {worker.name: 0 for worker in lab.workers}
    for number in range(lab.app.replicas if lab.workers else 0):
        pods[lab.workers[number % len(lab.workers)].name] += 1
    nodes = tuple(
        NodeMark(
            name=node.name,
            role=node.role,
            address=str(node.address),
            as_number=lab.network.as_number,
            blocks=(str(blocks[node.name]),) if node.name in blocks else (),
            pods=(PodMark("pod"),) * pods.get(node.name, 0),
        )
        for node in lab.nodes
    )
    hops = {node.name: str(lab.next_hop(lab.ingress, node).address) for node in lab.nodes}
    routes = tuple(RouteMark(block, hops[node.name]) for node in nodes for block in node.blocks)
    ingress = IngressMark(lab.ingress.name, str(lab.ingress.address), lab.network.ingress_as_number, routes)
    return frame(lab, ingress, nodes, live=False, router=router_of_model(lab))


def router_of_model(lab: Lab) -> RouterMark | None:
    """The router as labctl.yaml describes it, where there is one."""
    router = lab.router
    return RouterMark(router.name, str(router.address), lab.as_number(router)) if router else None


def frame(
    lab: Lab, ingress: IngressMark, nodes: tuple[NodeMark, ...], *, live: bool, router: RouterMark | None
) -> Picture:
    """The picture of these machines, with what the model alone knows."""
    network = lab.network
    return Picture(
        lab=lab.name,
        subnet=str(network.subnet),
        gateway=str(network.gateway),
        pod_cidr=str(network.pod_cidr),
        host=lab.app.host,
        ingress=ingress,
        nodes=nodes,
        live=live,
        entry=str(lab.entry),
        others=tuple((other.name, str(other.address)) for other in lab.ingresses if other != lab.ingress),
        router=router,
    )
