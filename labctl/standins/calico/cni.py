#!/usr/bin/python3 -IS
"""The CNI plugin ``calico``: gives a pod its network as Calico does.

It is installed as /opt/cni/bin/calico and started for every pod, so it uses the standard library only, and little of
it. With -I and -S Python starts in half the time.

The pod gets an address of the node's block as a /32 and one route, to 169.254.1.1, an address that nobody has: the
host's end of the veth pair answers ARP for it (proxy ARP), whatever the pod asks for. So every packet of the pod goes
to its node, and the node routes. The node knows the pod by a route to its /32.

Where every address of the node's blocks is in use, the plugin leaves a request for another block, which the agent
claims; the runtime tries again by itself, then with the agent's new configuration.

Sources: CNI specification 0.4.0; projectcalico/calico v3.32.1, cni-plugin/pkg/dataplane/linux. Addresses: host-local.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ipaddress import IPv4Network

VERSIONS = ("0.3.0", "0.3.1", "0.4.0")
POD_GATEWAY = "169.254.1.1"
HOST_MAC = "ee:ee:ee:ee:ee:ee"
ROUTE_METRIC = 1024
DEFAULT_MTU = 1500
CONFIG = Path("/etc/cni/net.d/10-calico.conflist")
_NO_BLOCK: Any = [[]]
_SECONDS = 30

_NO_ADDRESS = "no IP addresses available"  # host-local, backend/allocator/allocator.go

# Error codes of the CNI specification; 100 and above are a plugin's own.
_BAD_VERSION, _BAD_ENVIRONMENT, _BAD_INPUT, _TRY_LATER, _FAILED = 1, 4, 6, 11, 100

Json = dict[str, Any]


class CniError(Exception):
    """What the runtime gets if a command fails. code: of the CNI specification."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.details = details


class Request(NamedTuple):
    """One command of the runtime. network: the configuration. netns: path, empty if it is gone already."""

    network: Json
    container: str
    netns: str
    interface: str
    pod: str
    path: str

    @property
    def host_interface(self) -> str:
        """The host's end: ``cali`` and 11 hex digits of the pod's name, as Calico names it."""
        return "cali" + hashlib.sha1(self.pod.encode(), usedforsecurity=False).hexdigest()[:11]

    @property
    def version(self) -> str:
        """The runtime's version of the specification."""
        return str(self.network.get("cniVersion", "0.3.0"))


def render_cni_config(blocks: Sequence[IPv4Network], mtu: int, block_request: Path) -> str:
    """The text of 10-calico.conflist, by which containerd calls this plugin and the one for port mappings.

    blocks: the node's, in the order in which their addresses are used. mtu: bytes. block_request: the file by which the
    plugin asks for another block. Every address of a block is used, the first one too, as Calico does on Linux: a pod
    has a /32, so the block has no network or broadcast address of its own. The gateway is there so that host-local
    reserves none. Source: host-local's README (containernetworking).
    """
    ranges = [
        {
            "subnet": str(block),
            "rangeStart": str(block.network_address),
            "rangeEnd": str(block.broadcast_address),
            "gateway": POD_GATEWAY,
        }
        for block in blocks
    ]
    calico = {
        "type": "calico",
        "mtu": mtu,
        "blockRequest": str(block_request),
        "ipam": {"type": "host-local", "ranges": [ranges]},
    }
    portmap = {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}}
    network = {"name": "k8s-pod-network", "cniVersion": VERSIONS[-1], "plugins": [calico, portmap]}
    return json.dumps(network, indent=2) + "\n"


def read_request(environment: Mapping[str, str], text: str, *, needs_netns: bool) -> Request:
    """The request in the plugin's environment and input. Raises CniError."""
    try:
        network = json.loads(text)
    except ValueError as error:
        raise CniError(_BAD_INPUT, "the network configuration is not JSON", str(error)) from error
    if not isinstance(network, dict) or network.get("cniVersion", "0.3.0") not in VERSIONS:
        raise CniError(_BAD_VERSION, f"this plugin supports CNI {', '.join(VERSIONS)}")
    needed = ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH", *(["CNI_NETNS"] if needs_netns else [])]
    missing = [name for name in needed if not environment.get(name)]
    if missing:
        raise CniError(_BAD_ENVIRONMENT, f"not set: {', '.join(missing)}")
    arguments = dict(part.split("=", 1) for part in environment.get("CNI_ARGS", "").split(";") if "=" in part)
    container = environment["CNI_CONTAINERID"]
    namespace, name = arguments.get("K8S_POD_NAMESPACE"), arguments.get("K8S_POD_NAME")
    return Request(
        network=network,
        container=container,
        netns=environment.get("CNI_NETNS", ""),
        interface=environment["CNI_IFNAME"],
        pod=f"{namespace}.{name}" if namespace and name else container,
        path=environment["CNI_PATH"],
    )


def add(request: Request) -> Json:
    """Connect the pod; undo everything if a part of it fails. Returns CNI's result. Raises CniError."""
    request = with_block(request)
    try:
        allocated = _address_plugin(request, "ADD")
    except CniError as error:
        if _NO_ADDRESS in str(error):
            _request_block(request)
        raise
    try:
        address = str(allocated["ips"][0]["address"]).split("/")[0]
        mac = _random_mac()
        _connect(request, address, mac)
    except (CniError, OSError, LookupError) as error:
        _undo(request)
        if isinstance(error, CniError):
            raise
        raise CniError(_FAILED, f"pod {request.pod}: {error}") from error
    return {
        "cniVersion": request.version,
        "interfaces": [
            {"name": request.host_interface, "mac": HOST_MAC},
            {"name": request.interface, "mac": mac, "sandbox": request.netns},
        ],
        "ips": [{"version": "4", "address": f"{address}/32", "interface": 1}],
        "dns": allocated.get("dns", {}),
    }


def with_block(request: Request) -> Request:
    """The request with the node's blocks, after the first one is claimed. Raises CniError if that takes too long.

    The agent configures the plugin before that, and the runtime may not have read the configuration again.
    """
    ipam, until = request.network.get("ipam", {}), time.monotonic() + _SECONDS
    while ipam.get("ranges") == _NO_BLOCK:
        if time.monotonic() > until:
            raise CniError(_TRY_LATER, "the node has no block of addresses yet")
        time.sleep(0.1)
        try:
            ipam = json.loads(CONFIG.read_text(encoding="utf-8"))["plugins"][0]["ipam"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise CniError(_TRY_LATER, f"{CONFIG} cannot be read: {error}") from error
    return request._replace(network={**request.network, "ipam": ipam})


def delete(request: Request) -> None:
    """Disconnect the pod and release its address. It is no error if there is nothing to do. Raises CniError.

    The pair is deleted from the pod's side: its host end may by now belong to a new sandbox of the same pod.
    """
    _address_plugin(request, "DEL")
    if request.netns and Path(request.netns).exists():
        _run(["nsenter", f"--net={request.netns}", "ip", "link", "delete", request.interface], may_fail=True)


def check(request: Request) -> None:
    """Check that the pod is still connected as ``add`` left it. Raises CniError if not."""
    _address_plugin(request, "CHECK")
    if not Path("/sys/class/net", request.host_interface).exists():
        raise CniError(_FAILED, f"{request.host_interface} of pod {request.pod} is missing")
    shown = _run(["nsenter", f"--net={request.netns}", "ip", "-json", "-4", "address", "show", request.interface])
    found = {entry.get("local") for link in json.loads(shown or "[]") for entry in link.get("addr_info", [])}
    for entry in request.network.get("prevResult", {}).get("ips", []):
        if str(entry.get("address", "")).split("/")[0] not in found:
            raise CniError(_FAILED, f"pod {request.pod} has lost its address {entry.get('address')}")


def blocks_in(network: Json) -> list[str]:
    """The blocks of a configuration that render_cni_config has written."""
    return [str(part["subnet"]) for ranges in network["ipam"]["ranges"] for part in ranges]


def _request_block(request: Request) -> None:
    """Ask the agent for another block, and raise the error that makes the runtime try again."""
    try:
        blocks = blocks_in(request.network)
        Path(request.network["blockRequest"]).write_text(json.dumps(blocks), encoding="utf-8")
    except (OSError, LookupError, TypeError):
        return
    message = f"every address of {', '.join(blocks)} is in use; labctl-calico-node has been asked for another block"
    raise CniError(_TRY_LATER, message)


def _connect(request: Request, address: str, mac: str) -> None:
    host, pod = request.host_interface, request.interface
    mtu = int(request.network.get("mtu") or DEFAULT_MTU)
    if Path("/sys/class/net", host).exists():
        _run(["ip", "link", "delete", host], may_fail=True)
    _run(
        ["ip", "-batch", "-"],
        f"link add {host} address {HOST_MAC} mtu {mtu} type veth"
        f" peer name {pod} address {mac} mtu {mtu} netns {request.netns}\n"
        f"link set {host} up\n"
        f"route replace {address} dev {host} scope link metric {ROUTE_METRIC}\n",
    )
    _set_sysctls(host)
    _run(
        ["nsenter", f"--net={request.netns}", "ip", "-batch", "-"],
        f"link set {pod} up\n"
        f"address add {address}/32 dev {pod}\n"
        f"route add {POD_GATEWAY} dev {pod} scope link\n"
        f"route add default via {POD_GATEWAY} dev {pod}\n",
    )


def _set_sysctls(interface: str) -> None:
    """Turn on forwarding and, on the pod's host end, what makes 169.254.1.1 work (Linux: ip-sysctl.rst)."""
    ipv4 = Path("/proc/sys/net/ipv4")
    sysctls = {
        ipv4 / "ip_forward": "1",
        ipv4 / "conf" / interface / "proxy_arp": "1",
        ipv4 / "conf" / interface / "route_localnet": "1",
        ipv4 / "conf" / interface / "forwarding": "1",
        ipv4 / "neigh" / interface / "proxy_delay": "0",
    }
    for file, value in sysctls.items():
        if file.read_text(encoding="ascii").strip() != value:
            file.write_text(value, encoding="ascii")
    router_advertisements = Path("/proc/sys/net/ipv6/conf", interface, "accept_ra")
    if router_advertisements.exists():
        router_advertisements.write_text("0", encoding="ascii")


def _undo(request: Request) -> None:
    _run(["ip", "link", "delete", request.host_interface], may_fail=True)
    try:
        _address_plugin(request, "DEL")
    except CniError as error:
        sys.stderr.write(f"the address of pod {request.pod} could not be released: {error}\n")


def _random_mac() -> str:
    """A locally administered unicast MAC address (IEEE 802)."""
    first, *rest = os.urandom(6)
    return ":".join(f"{byte:02x}" for byte in (first & 0xFE | 0x02, *rest))


def _address_plugin(request: Request, command: str) -> Json:
    """Run the address plugin that the configuration names (host-local). Raises CniError."""
    name = str(request.network.get("ipam", {}).get("type", ""))
    program = shutil.which(name, path=request.path) if name and "/" not in name else None
    if program is None:
        raise CniError(_FAILED, f"no address plugin {name!r} in {request.path}")
    done = subprocess.run(
        [program],
        input=json.dumps(request.network),
        env={**os.environ, "CNI_COMMAND": command},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    try:
        answer = json.loads(done.stdout or "{}")
    except ValueError as error:
        raise CniError(_FAILED, f"{name} did not answer in JSON", done.stdout[:200]) from error
    if done.returncode != 0:
        raise CniError(int(answer.get("code", _FAILED)), str(answer.get("msg", done.stderr.strip() or name)))
    return dict(answer)


def _run(command: list[str], text: str = "", *, may_fail: bool = False) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0 and not may_fail:
        raise CniError(_FAILED, f"{' '.join(command)}: {done.stderr.strip()}", text)
    return done.stdout


def main() -> int:
    """Run the command in CNI_COMMAND; print its result, or the error, as JSON. Returns the exit code."""
    command, version = os.environ.get("CNI_COMMAND", ""), VERSIONS[-1]
    try:
        if command == "VERSION":
            _answer({"cniVersion": version, "supportedVersions": list(VERSIONS)})
            return 0
        request = read_request(os.environ, sys.stdin.read(), needs_netns=command in {"ADD", "CHECK"})
        version = request.version
        if command == "ADD":
            _answer(add(request))
        elif command == "DEL":
            delete(request)
        elif command == "CHECK":
            check(request)
        else:
            raise CniError(_BAD_ENVIRONMENT, f"unknown CNI_COMMAND {command!r}")
    except CniError as error:
        _answer({"cniVersion": version, "code": error.code, "msg": str(error), "details": error.details})
        return 1
    except subprocess.TimeoutExpired as error:
        _answer({"cniVersion": version, "code": _TRY_LATER, "msg": f"timed out: {error}", "details": ""})
        return 1
    return 0


def _answer(answer: Json) -> None:
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
