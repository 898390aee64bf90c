"""What a picture of the lab shows, as data: from the model alone, or from the machines' answers."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from labctl.model.blocks import blocks_for
from labctl.model.lab import Lab, Role


@dataclass(frozen=True, slots=True)
class PicturePod:
    """A pod. address: empty if unknown. serving: whether HAProxy sends requests there; None if unknown."""

    name: str
    address: str = ""
    serving: bool | None = None

    @property
    def label(self) -> str:
        """The last number of its address, or `pod` if that is unknown."""
        return "." + self.address.rpartition(".")[2] if self.address else "pod"


@dataclass(frozen=True, slots=True)
class PictureNode:
    """A node of the cluster. state and session: empty in a picture from the model alone.

    session: what BIRD on ingress says about its session with this node. established: whether it is up.
    routed: whether the kernel of ingress has routes to the node's blocks, so that requests reach its pods.
    Both are None if unknown.
    """

    name: str
    role: Role
    address: str
    as_number: int
    blocks: tuple[str, ...]
    pods: tuple[PicturePod, ...] = ()
    state: str = ""
    session: str = ""
    established: bool | None = None
    routed: bool | None = None

    @property
    def runs_pods(self) -> bool:
        """Whether requests go to this node."""
        return bool(self.pods)


@dataclass(frozen=True, slots=True)
class PictureRoute:
    """A route in the kernel of ingress: a block of pods, and its next hop."""

    block: str
    via: str


@dataclass(frozen=True, slots=True)
class PictureIngress:
    """The machine outside the cluster. servers: how many take requests, and how many there are; None if unknown."""

    name: str
    address: str
    as_number: int
    routes: tuple[PictureRoute, ...]
    servers: tuple[int, int] | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class PictureRouter:
    """The machine between ingress and the nodes. session: what BIRD on ingress says about its session with it.

    established: whether that is up; None if unknown. state: `does not answer`, or empty.
    """

    name: str
    address: str
    as_number: int
    session: str = ""
    established: bool | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole lab.

    live: from the machines' answers; otherwise from labctl.yaml, with the blocks that Calico will assign. entry: the
    address for clients. others: further ingress machines (name, address), with the same sessions.
    """

    lab: str
    subnet: str
    gateway: str
    pod_cidr: str
    host: str
    ingress: PictureIngress
    nodes: tuple[PictureNode, ...]
    live: bool = False
    entry: str = ""
    others: tuple[tuple[str, str], ...] = ()
    router: PictureRouter | None = None

    @property
    def sessions(self) -> str:
        """The sessions of BIRD on ingress, in words."""
        return f"one BGP session, with {self.router.name}" if self.router else "one BGP session per node"

    @property
    def location(self) -> str:
        """Where ingress is, in words; if there are several ingress machines, the address that they share."""
        if not self.others:
            return "outside the cluster"
        short = "." + self.entry.rpartition(".")[2]
        return f"shares {short} with " + ", ".join(
            f"{name} (.{address.rpartition('.')[2]})" for name, address in self.others
        )

    @property
    def title(self) -> str:
        """The title of the picture."""
        return f"labctl lab “{self.lab}”"

    @property
    def description(self) -> str:
        """The picture in sentences, for people who cannot see it."""
        nodes = "; ".join(_node_description(node) for node in self.nodes)
        return (
            f"A request for http://{self.host}/ goes to {self.ingress.name} ({self.ingress.address}), where HAProxy "
            f"sends it straight to a pod. BIRD there, AS {self.ingress.as_number}, learns over BGP which node has "
            f"which block of the pod network {self.pod_cidr}.{self._router_description()} Nodes: {nodes}."
            + self._other_ingress_description()
        )

    def _router_description(self) -> str:
        if self.router is None:
            return ""
        router = self.router
        return (
            f" It learns this from {router.name} ({router.address}, AS {router.as_number}), which has a session with "
            "every node and forwards the packets."
        )

    def _other_ingress_description(self) -> str:
        if not self.others:
            return ""
        names = ", ".join(f"{name} ({address})" for name, address in self.others)
        return f" {names} is set up the same way, with the same sessions; the address {self.entry} moves between them."

    @property
    def note(self) -> str:
        """Where the picture's facts come from."""
        return "live, from the machines" if self.live else "from labctl.yaml; blocks as Calico will assign them"


def _node_description(node: PictureNode) -> str:
    words = [f"{node.name} {node.address}", f"AS {node.as_number}", *node.blocks]
    if node.session:
        words.append(f"BGP {node.session}")
    if any(pod.address for pod in node.pods):
        words.append(f"pods {' '.join(pod.address for pod in node.pods)}")
    return ", ".join(words)


def predicted_blocks(lab: Lab) -> dict[str, IPv4Network]:
    """Each node's first block, by node name: the first in the node's own order that no node before it has."""
    blocks: dict[str, IPv4Network] = {}
    network = lab.network
    for node in lab.nodes:
        for block in blocks_for(node.name, network.pod_cidr, network.block_size):
            if block not in blocks.values():
                blocks[node.name] = block
                break
    return blocks


def picture_of_model(lab: Lab) -> Picture:
    """The lab as labctl.yaml describes it. The application's pods are spread over the workers in turn, as a guess."""
    blocks = predicted_blocks(lab)
    pods = {worker.name: 0 for worker in lab.workers}
    for number in range(lab.app.replicas if lab.workers else 0):
        pods[lab.workers[number % len(lab.workers)].name] += 1
    nodes = tuple(
        PictureNode(
            name=node.name,
            role=node.role,
            address=str(node.address),
            as_number=lab.network.as_number,
            blocks=(str(blocks[node.name]),) if node.name in blocks else (),
            pods=(PicturePod("pod"),) * pods.get(node.name, 0),
        )
        for node in lab.nodes
    )
    hops = {node.name: str(lab.next_hop(lab.ingress, node).address) for node in lab.nodes}
    routes = tuple(PictureRoute(block, hops[node.name]) for node in nodes for block in node.blocks)
    ingress = PictureIngress(lab.ingress.name, str(lab.ingress.address), lab.network.ingress_as_number, routes)
    return make_picture(lab, ingress, nodes, live=False, router=router_of_model(lab))


def router_of_model(lab: Lab) -> PictureRouter | None:
    """The router as labctl.yaml describes it; None if there is none."""
    router = lab.router
    return PictureRouter(router.name, str(router.address), lab.as_number(router)) if router else None


def make_picture(
    lab: Lab, ingress: PictureIngress, nodes: tuple[PictureNode, ...], *, live: bool, router: PictureRouter | None
) -> Picture:
    """The picture of these machines; everything else comes from the model."""
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
