"""The kinds of objects that kubeadm and Calico read, as far as labctl writes them: every field known, and of its type.

From kubernetes.io ("kubeadm Configuration (v1beta4)", "Kubelet Configuration", "kube-proxy Configuration") and Calico's
reference (docs.tigera.io: Installation, BGP configuration, BGP peer).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Part of a configuration whose fields are all known and of their own type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Argument(Strict):
    """kubeadm v1beta4, Arg."""

    name: str
    value: str


class Component(Strict):
    """kubeadm v1beta4, ControlPlaneComponent."""

    extraArgs: list[Argument]  # noqa: N815


class Registration(Strict):
    """kubeadm v1beta4, NodeRegistrationOptions."""

    name: str
    criSocket: str = Field(pattern="^unix:///")  # noqa: N815


Timeouts = dict[
    Literal[
        *("controlPlaneComponentHealthCheck", "kubeletHealthCheck", "kubernetesAPICall", "etcdAPICall"),
        *("tlsBootstrap", "discovery", "upgradeManifests"),
    ],
    str,
]
"""kubeadm v1beta4, Timeouts."""


class Init(Strict):
    """kubeadm v1beta4, InitConfiguration."""

    apiVersion: Literal["kubeadm.k8s.io/v1beta4"]  # noqa: N815
    kind: Literal["InitConfiguration"]
    bootstrapTokens: list[dict[Literal["token", "ttl"], str]]  # noqa: N815
    localAPIEndpoint: dict[Literal["advertiseAddress", "bindPort"], str | int]  # noqa: N815
    nodeRegistration: Registration  # noqa: N815
    patches: dict[Literal["directory"], str]
    timeouts: Timeouts = Field(default_factory=dict)


class Cluster(Strict):
    """kubeadm v1beta4, ClusterConfiguration."""

    apiVersion: Literal["kubeadm.k8s.io/v1beta4"]  # noqa: N815
    kind: Literal["ClusterConfiguration"]
    encryptionAlgorithm: Literal["RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"]  # noqa: N815
    clusterName: str  # noqa: N815
    kubernetesVersion: Literal["KUBERNETES_VERSION"]  # noqa: N815
    controlPlaneEndpoint: str  # noqa: N815
    networking: dict[Literal["podSubnet", "serviceSubnet"], str]
    apiServer: Component | None = None  # noqa: N815
    controllerManager: Component  # noqa: N815
    scheduler: Component


class Join(Strict):
    """kubeadm v1beta4, JoinConfiguration."""

    apiVersion: Literal["kubeadm.k8s.io/v1beta4"]  # noqa: N815
    kind: Literal["JoinConfiguration"]
    discovery: dict[Literal["bootstrapToken"], dict[str, Any]]
    nodeRegistration: Registration  # noqa: N815
    timeouts: Timeouts = Field(default_factory=dict)


class Pool(Strict):
    """operator.tigera.io/v1, IPPool."""

    name: str
    cidr: str
    blockSize: int = Field(ge=20, le=32)  # noqa: N815
    encapsulation: Literal["IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet", "None"]
    natOutgoing: Literal["Enabled", "Disabled"]  # noqa: N815
    nodeSelector: str  # noqa: N815


class CalicoNetwork(Strict):
    """operator.tigera.io/v1, CalicoNetworkSpec."""

    bgp: Literal["Enabled", "Disabled"]
    nodeAddressAutodetectionV4: dict[Literal["cidrs"], list[str]]  # noqa: N815
    ipPools: list[Pool] = Field(min_length=1)  # noqa: N815


class InstallationSpec(Strict):
    """operator.tigera.io/v1, InstallationSpec."""

    controlPlaneReplicas: int = Field(ge=1)  # noqa: N815
    calicoNetwork: CalicoNetwork  # noqa: N815


class Installation(Strict):
    """operator.tigera.io/v1, Installation."""

    apiVersion: Literal["operator.tigera.io/v1"]  # noqa: N815
    kind: Literal["Installation"]
    metadata: dict[Literal["name"], Literal["default"]]
    spec: InstallationSpec


class ApiServer(Strict):
    """operator.tigera.io/v1, APIServer."""

    apiVersion: Literal["operator.tigera.io/v1"]  # noqa: N815
    kind: Literal["APIServer"]
    metadata: dict[Literal["name"], Literal["default"]]
    spec: dict[str, Any] = Field(max_length=0)


class BgpConfigurationSpec(Strict):
    """projectcalico.org/v3, BGPConfigurationSpec."""

    logSeverityScreen: Literal["Debug", "Info", "Warning", "Error", "Fatal"]  # noqa: N815
    nodeToNodeMeshEnabled: bool  # noqa: N815
    asNumber: int = Field(ge=1, lt=2**32)  # noqa: N815


class BgpConfiguration(Strict):
    """projectcalico.org/v3, BGPConfiguration."""

    apiVersion: Literal["projectcalico.org/v3"]  # noqa: N815
    kind: Literal["BGPConfiguration"]
    metadata: dict[Literal["name"], Literal["default"]]
    spec: BgpConfigurationSpec


class BgpPeerSpec(Strict):
    """projectcalico.org/v3, BGPPeerSpec."""

    peerIP: str  # noqa: N815
    asNumber: int = Field(ge=1, lt=2**32)  # noqa: N815
    nextHopMode: Literal["Auto", "Self", "Keep"] = "Auto"  # noqa: N815
    password: dict[Literal["secretKeyRef"], dict[Literal["name", "key"], str]] = Field(default_factory=dict)


class BgpPeer(Strict):
    """projectcalico.org/v3, BGPPeer."""

    apiVersion: Literal["projectcalico.org/v3"]  # noqa: N815
    kind: Literal["BGPPeer"]
    metadata: dict[Literal["name"], str]
    spec: BgpPeerSpec


class Kubelet(Strict):
    """kubelet.config.k8s.io/v1beta1, KubeletConfiguration."""

    apiVersion: Literal["kubelet.config.k8s.io/v1beta1"]  # noqa: N815
    kind: Literal["KubeletConfiguration"]
    cgroupDriver: Literal["systemd", "cgroupfs"]  # noqa: N815
    syncFrequency: str  # noqa: N815
    nodeStatusUpdateFrequency: str  # noqa: N815
    nodeStatusReportFrequency: str  # noqa: N815
    resolvConf: str | None = None  # noqa: N815
    failSwapOn: bool = True  # noqa: N815
    evictionHard: dict[str, str] = {}  # noqa: N815
    imageGCHighThresholdPercent: int = Field(85, ge=0, le=100)  # noqa: N815
    failCgroupV1: bool = True  # noqa: N815


class Conntrack(Strict):
    """kubeproxy.config.k8s.io/v1alpha1, KubeProxyConntrackConfiguration."""

    maxPerCore: int  # noqa: N815
    min: int
    tcpEstablishedTimeout: str  # noqa: N815
    tcpCloseWaitTimeout: str  # noqa: N815


class KubeProxy(Strict):
    """kubeproxy.config.k8s.io/v1alpha1, KubeProxyConfiguration."""

    apiVersion: Literal["kubeproxy.config.k8s.io/v1alpha1"]  # noqa: N815
    kind: Literal["KubeProxyConfiguration"]
    mode: Literal["iptables"]
    conntrack: Conntrack | None = None
