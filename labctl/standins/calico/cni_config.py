"""What containerd needs to know to give a pod its network: the plugin, the node's block, and port mappings."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

POD_GATEWAY = "169.254.1.1"


def render_cni_config(block: IPv4Network, mtu: int) -> str:
    """The text of 10-calico.conflist.

    Every address of the block is given out, the first one too, as Calico does on Linux: a pod has a /32, so the
    block has no network or broadcast address of its own. The gateway is named so that host-local reserves none.
    Source: CNI specification 0.4.0; host-local's README (containernetworking/plugins).
    """
    addresses = {
        "subnet": str(block),
        "rangeStart": str(block.network_address),
        "rangeEnd": str(block.broadcast_address),
        "gateway": POD_GATEWAY,
    }
    calico = {"type": "calico", "mtu": mtu, "ipam": {"type": "host-local", "ranges": [[addresses]]}}
    portmap = {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}}
    network = {"name": "k8s-pod-network", "cniVersion": "0.4.0", "plugins": [calico, portmap]}
    return json.dumps(network, indent=2) + "\n"
