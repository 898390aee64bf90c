"""The catalogue of steps: what each is for, on which machines it runs and what it waits for. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from labctl.model.lab import NODE_ROLES, Lab, Role, Source

_ALL = frozenset(Role)
_CONTROLPLANE = frozenset({Role.CONTROLPLANE})
_WORKERS = frozenset({Role.WORKER})
_INGRESS = frozenset({Role.INGRESS})
_OUTSIDE = frozenset({Role.INGRESS, Role.ROUTER})

MACHINES = "machines"


def _in_every_lab(_lab: Lab) -> bool:
    return True


def _with_vip(lab: Lab) -> bool:
    return lab.vip is not None


@dataclass(frozen=True, slots=True)
class Need:
    """What a step waits for: a step on its own machine, or, with everywhere, on every machine that has that step."""

    step: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step. files: what its script installs, by name in ``scripts/files``. deadline: seconds, check included.

    beside: steps that may run at the same time and belong to it: its script waits for them by itself, or what it makes
    is of no use before they are done.
    wanted: whether a lab has this step at all.
    own_files: further files, where the software comes from that source.
    """

    name: str
    title: str
    roles: frozenset[Role]
    needs: tuple[Need, ...] = ()
    files: tuple[str, ...] = ()
    deadline: int = 120
    beside: tuple[Need, ...] = ()
    wanted: Callable[[Lab], bool] = _in_every_lab
    own_files: Mapping[Source, tuple[str, ...]] = field(default_factory=dict)

    def files_for(self, source: Source) -> tuple[str, ...]:
        """What its script installs where the software comes from that source."""
        return (*self.files, *self.own_files.get(source, ()))


STEPS: tuple[Step, ...] = (
    Step(MACHINES, "the machine boots and answers over SSH", _ALL, deadline=600),
    Step(
        "base",
        "names, kernel settings, no swap",
        _ALL,
        (Need(MACHINES),),
        ("hosts", "sysctl.conf", "modules.conf", "networkd.conf", "networkd-pods.conf", "networkmanager.conf"),
        deadline=300,
        own_files={Source.UPSTREAM: ("fetch.sh", "proxy.env", "resolv.conf", "pods-resolv.conf")},
    ),
    Step(
        "runtime",
        "containerd and the images that the node needs",
        NODE_ROLES,
        (Need("base"),),
        ("containerd.toml", "crictl.yaml"),
        deadline=600,
        own_files={Source.UPSTREAM: ("fetch.sh", "containerd-2.toml")},
    ),
    Step(
        "kubernetes",
        "kubelet, kubeadm and kubectl, with the node's address set before the kubelet first starts",
        NODE_ROLES,
        (Need("base"),),
        ("kubelet.env",),
        deadline=600,
        own_files={Source.UPSTREAM: ("fetch.sh",)},
    ),
    Step(
        "control-plane",
        "etcd, kubeadm init, and what the controller and labctl may read",
        _CONTROLPLANE,
        (Need("runtime"), Need("kubernetes")),
        (
            "kubeadm-init.yaml",
            "ingress-objects.yaml",
            "reader-objects.yaml",
            "patches/kube-apiserver+strategic.yaml",
            "patches/kube-controller-manager+strategic.yaml",
            "patches/kube-scheduler+strategic.yaml",
        ),
        deadline=900,
        own_files={Source.DEBIAN: ("etcd.env",), Source.UPSTREAM: ("patches/etcd+strategic.yaml",)},
    ),
    Step(
        "join",
        "kubeadm join, which verifies the cluster's CA",
        _WORKERS,
        (Need("runtime"), Need("kubernetes")),
        ("kubeadm-join.yaml",),
        deadline=900,
        beside=(Need("control-plane", everywhere=True),),
    ),
    Step(
        "calico",
        "the pod network: a block per node, told to the other nodes over BGP",
        NODE_ROLES,
        (Need("runtime"), Need("kubernetes")),
        deadline=1200,
        own_files={
            Source.DEBIAN: ("calico-node.env", "calico-pool.yaml"),
            Source.UPSTREAM: ("fetch.sh", "calico-installation.yaml", "calicoctl.cfg"),
        },
        beside=(Need("control-plane"), Need("join")),
    ),
    Step(
        "bgp-peers",
        "BGPConfiguration and BGPPeer: the nodes' AS number and their session with ingress",
        _CONTROLPLANE,
        (Need("control-plane"), Need("calico")),
        ("bgp-peers.yaml",),
        deadline=900,
        own_files={Source.UPSTREAM: ("calico-apiserver.yaml",)},
    ),
    Step(
        "haproxy",
        "HAProxy, with its own service disabled",
        _INGRESS,
        (Need("base"),),
        deadline=600,
        own_files={Source.UPSTREAM: ("fetch.sh",)},
    ),
    Step(
        "controller",
        "the ingress controller, outside the cluster",
        _INGRESS,
        (Need("haproxy"),),
        ("haproxy-ingress.default", "haproxy-ingress.service"),
        deadline=600,
        own_files={Source.UPSTREAM: ("fetch.sh",)},
    ),
    Step(
        "bird",
        "BIRD, one BGP session per node",
        _OUTSIDE,
        (Need("base"),),
        ("bird.conf",),
        deadline=600,
        own_files={Source.UPSTREAM: ("fetch.sh",)},
    ),
    Step(
        "keepalived",
        "Keepalived, which gives the shared address to the ingress machine that is able",
        _INGRESS,
        (Need("controller"), Need("bird")),
        ("keepalived.conf", "bgp-stands.sh"),
        own_files={Source.UPSTREAM: ("fetch.sh",)},
        wanted=_with_vip,
    ),
    Step(
        "app",
        "the article's Deployment, Service and Ingress",
        _CONTROLPLANE,
        (Need("calico", everywhere=True),),
        ("app.yaml",),
        deadline=400,
        beside=(Need("join", everywhere=True), Need("bgp-peers")),
    ),
)
