"""Facts of a healthy lab, made by hand in the formats of the real programs; for tests that need other labs than the
recorded one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv4Address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from labctl.checks.catalogue import probes_for
from labctl.checks.facts import Facts, HostFacts, HttpAnswer, HttpFacts, MachineFacts
from labctl.checks.questions import as_probes, pod_facts
from labctl.config import parse
from labctl.config.build import build
from labctl.facts.certificates import certificates_of
from labctl.facts.kubernetes import api_paths, controller_reads
from labctl.facts.pods import FirstHop, PodHttp
from labctl.facts.systemd import UNIT_PROPERTIES, units_of
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Machine, Provider
from support.made_api import api_objects, block_of, pods_of, static_pods


def make_lab(workers: int = 2, provider: Provider = Provider.LXC, more: str = "") -> Lab:
    return build(parse(f"workers: {workers}\n{more}".encode()), provider)


def result(command: str, stdout: str, status: int = 0, stderr: str = "") -> CommandResult:
    return CommandResult(command, status, stdout, stderr, 0.03)


def make_facts(lab: Lab) -> Facts:
    pods = pods_of(lab)
    host = HostFacts(
        route=result("ip", json.dumps([{"dst": str(lab.entry), "dev": lab.bridge, "prefsrc": "192.168.50.1"}])),
        neighbours=result("ip", json.dumps([_neighbour(machine, lab.bridge) for machine in lab.machines])),
        name_addresses=(str(lab.entry),),
        firewall=result("nft list ruleset", ""),
        links=result("ip", json.dumps([{"ifname": lab.bridge, "flags": ["BROADCAST", "UP", "LOWER_UP"]}])),
    )
    machines = {machine.name: _machine(lab, machine) for machine in lab.machines}
    targets = tuple(address for _, _, address in pods)
    reach = {
        probe.name: result(probe.command, _reached(lab, probe.name))
        for address in targets
        for probe in as_probes(
            [*pod_facts(address, 1500), *([FirstHop(address)] if lab.router else []), PodHttp(str(address), 8080)],
            lab,
            lab.ingress,
        )
    }
    answers = tuple(HttpAnswer(200, name, seconds=0.002) for name, _, _ in pods)
    direct = {ingress.name: answers[0] for ingress in lab.ingresses if lab.vip}
    http = HttpFacts(answers, HttpAnswer(404, seconds=0.001), direct)
    first, *others = (MachineFacts(ingress.name, "", reach) for ingress in lab.ingresses)
    return Facts(host, machines, first, http, lab.controlplane.name, {item.name: item for item in others})


@cache
def _certificate() -> str:
    """A certificate that is valid today, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made for a test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


_LOOPBACK = [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]
_INODES = "Filesystem Inodes IUsed IFree IUse% Mounted on\noverlay 16777216 600000 16177216 4% /\n"
_PING = "1 packets transmitted, 1 received, 0% packet loss, time 0ms\n"
_MEMORY = "MemTotal:       24641264 kB\nMemFree:        12000000 kB\nMemAvailable:   20000000 kB\n"
_DISK = (
    "Filesystem     1024-blocks     Used Available Capacity Mounted "
    "on\noverlay           82043328 20000000  58000000      26% /\n"
)


def review(group: str, kind: str, *, allowed: bool = True) -> str:
    """What the API answers to a SubjectAccessReview, and curl's line after it."""
    asked = {"group": group, "resource": kind, "verb": "list"}
    status: dict[str, Any] = {"allowed": allowed}
    if allowed:
        status["reason"] = 'RBAC: allowed by ClusterRoleBinding "haproxy-ingress" of ClusterRole "haproxy-ingress"'
    spec = {"resourceAttributes": asked, "user": "haproxy-ingress", "groups": ["labctl:ingress-controllers"]}
    body = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": spec, "status": status}
    return json.dumps(body) + "\n\nlabctl-url 201 https://x:6443/apis/authorization.k8s.io/v1/subjectaccessreviews\n"


def _reached(lab: Lab, probe: str) -> str:
    if probe.startswith("http"):
        return "200"
    if probe.startswith("hop") and lab.router:
        return f"From {lab.router.address} icmp_seq=1 Time to live exceeded\n"
    return _PING


def _mac(machine: Machine) -> str:
    return f"00:16:3e:00:00:{int(machine.address) & 0xFF:02x}"


def _neighbour(machine: Machine, device: str) -> dict[str, Any]:
    return {"dst": str(machine.address), "dev": device, "lladdr": _mac(machine), "state": ["REACHABLE"]}


def _machine(lab: Lab, machine: Machine) -> MachineFacts:
    outputs = {
        "addresses": _addresses(lab, machine),
        "routes": _routes(lab, machine),
        "local-routes": json.dumps([{"type": "local", "dst": str(machine.address), "dev": "eth0"}]),
        "neighbours": json.dumps([_neighbour(other, "eth0") for other in lab.machines if other != machine]),
        "rules": json.dumps(
            [{"priority": n, "src": "all", "table": t} for n, t in ((0, "local"), (32766, "main"), (32767, "default"))]
        ),
        "listeners": _listeners(lab, machine),
        "failed-units": "",
        "disk": _DISK,
        "names": "".join(f"{item.address} STREAM {item.name}\n" for item in lab.machines),
        "memory": _MEMORY,
        "sysctls": _sysctls(machine),
        "firewall": _FIREWALL if machine.is_node else "",
        "qdiscs": "qdisc noqueue 0: dev lo root refcnt 2 \nqdisc noqueue 0: dev eth0 root refcnt 2 \n",
        "units": "\n".join(_unit(name) for name in units_of(lab, machine)),
        "protocols": _protocols(lab, machine),
        "inodes": _INODES,
        "read-only": "proc /proc/sys proc ro 0 0\ntmpfs /run/credentials/x tmpfs ro 0 0\nx /etc/labctl/ssh x ro 0 0\n",
        "processes": "",
        "hostname": f"{machine.name}\n",
        "certificates": "".join(f"{file}\n{_certificate()}\n" for file in certificates_of(machine, lab.source)),
        "bird-options": "",
        "bird-syntax": "",
        "controller-rights": "".join(review(group, kind) for group, kind in controller_reads(lab.source)),
        "cni": '/etc/cni/net.d/10-calico.conflist:{"plugins": [{"type": "calico", "ipam": {"type": "host-local"}}]}\n',
        "cni-plugins": "calico\nhost-local\n",
        "bird-routes": _bird_routes(lab, machine),
        "controller-access": "",
        "haproxy-config": _haproxy_config(lab),
        "haproxy-status": _haproxy_status(lab),
        "haproxy-info": "Name: HAProxy\nMaxconn: 2000\n",
        "sysctl-files": "/etc/sysctl.d/90-labctl.conf:net.ipv4.ip_forward = 1\n",
        "healthz": "200",
        "static-pods": "".join(f"{part}.yaml\n" for part in static_pods(lab)),
        "etcd-health": '{"health":"true","reason":""}',
        "api": _api(lab),
    }
    results = {probe.name: result(probe.command, outputs[probe.name]) for probe in probes_for(lab, machine)}
    return MachineFacts(machine.name, "", results, 0.0, 0.4)


def _addresses(lab: Lab, machine: Machine) -> str:
    addresses = [{"family": "inet", "local": str(machine.address), "prefixlen": 24}]
    if lab.vip and machine == lab.ingress:
        addresses.append({"family": "inet", "local": str(lab.entry), "prefixlen": 32})
    nic = {
        "ifname": "eth0",
        "flags": ["BROADCAST", "UP", "LOWER_UP"],
        "mtu": 1500,
        "address": _mac(machine),
        "addr_info": addresses,
    }
    loop = {"ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"], "mtu": 65536, "addr_info": _LOOPBACK}
    return json.dumps([loop, nic])


def _routes(lab: Lab, machine: Machine) -> str:
    routes: list[dict[str, Any]] = [
        {"dst": "default", "gateway": str(lab.network.gateway), "dev": "eth0", "flags": []},
        {"dst": str(lab.network.subnet), "dev": "eth0", "protocol": "kernel", "scope": "link", "flags": []},
    ]
    for node in lab.nodes:
        block = str(block_of(lab, node))
        if node == machine:
            routes.append({"type": "blackhole", "dst": block, "protocol": "bird", "metric": 32, "flags": []})
        else:
            via = {
                "dst": block,
                "gateway": str(lab.next_hop(machine, node).address),
                "dev": "eth0",
                "protocol": "bird",
                "metric": 32,
                "flags": [],
            }
            routes.append(via)
    for name, node, address in pods_of(lab):
        if node == machine:
            routes.append(
                {"dst": str(address), "dev": f"cali{hash_of(name)}", "scope": "link", "metric": 1024, "flags": []}
            )
    return json.dumps(routes)


def hash_of(name: str) -> str:
    return f"{sum(name.encode()):011x}"


def _listeners(lab: Lab, machine: Machine) -> str:
    ports = [("0.0.0.0", 22, "sshd"), ("0.0.0.0", 179, "bird")]
    if machine in lab.ingresses:
        ports += [("0.0.0.0", 80, "haproxy"), ("0.0.0.0", 1024, "haproxy"), ("0.0.0.0", 1042, "haproxy")]
    elif machine == lab.controlplane:
        ports += [("*", 6443, "kube-apiserver"), ("127.0.0.1", 2379, "etcd")]
    row = 'LISTEN 0      4096   {0}:{1}   0.0.0.0:*    users:(("{2}",pid=99,fd=5))\n'
    return "".join(row.format(*port) for port in ports)


def _sysctls(machine: Machine) -> str:
    forward = "1" if machine.forwards else "0"
    lines = [f"/proc/sys/net/ipv4/ip_forward:{forward}"]
    lines += [f"/proc/sys/net/ipv4/conf/{name}/rp_filter:2" for name in ("all", "default", "eth0", "lo")]
    return "\n".join(lines) + "\n"


_FIREWALL = """table ip filter {
\tchain KUBE-FIREWALL {
\t\t#  xt_mark
\t\tmark and 0x8000 == 0x8000 counter packets 0 bytes 0 drop
\t}
\tchain INPUT {
\t\ttype filter hook input priority filter; policy accept;
\t\tcounter packets 100 bytes 9000 jump KUBE-FIREWALL
\t}
}
"""


def _unit(name: str) -> str:
    values = (name, "loaded", "active", "running", "success", "0", "0", "Mon 2026-11-23 12:00:00 UTC", "enabled")
    return "".join(f"{key}={value}\n" for key, value in zip(UNIT_PROPERTIES.split(","), values, strict=True))


def session_text(
    name: str, peer: IPv4Address, peer_as: int, local_as: int, *, filtered: int = 0, exported: int = 0
) -> str:
    return f"""{name:<10} BGP        ---        up     12:00:03.123  Established
  BGP state:          Established
    Neighbor address: {peer}
    Neighbor AS:      {peer_as}
    Local AS:         {local_as}
    Neighbor ID:      {peer}
    Session:          internal AS4
  Channel ipv4
    State:          UP
    Table:          master4
    Input filter:   (unnamed)
    Routes:         {0 if filtered else 1} imported, {exported} exported, 1 preferred
    Route change stats:     received   rejected   filtered    ignored   accepted
      Import updates:              1          0          {filtered}          0          {0 if filtered else 1}
"""


def _protocols(lab: Lab, machine: Machine) -> str:
    text = "BIRD 2.17.1 ready.\nName       Proto      Table      State  Since         Info\n"
    text += "device1    Device     ---        up     12:00:00.000  \n\n"
    own = lab.as_number(machine)
    if machine in lab.outside:
        peers = [(other.name, other.address, lab.as_number(other)) for other in lab.neighbors(machine)]
    else:
        peers = [
            ("Global_" + str(peer.address).replace(".", "_"), peer.address, lab.as_number(peer)) for peer in lab.peers
        ]
        peers += [
            ("Mesh_" + str(node.address).replace(".", "_"), node.address, own) for node in lab.nodes if node != machine
        ]
    told = 0 if machine in lab.ingresses else 1
    return text + "\n".join(session_text(name, address, number, own, exported=told) for name, address, number in peers)


def _bird_routes(lab: Lab, machine: Machine) -> str:
    text = "BIRD 2.17.1 ready.\nTable master4:\n"
    for node in lab.nodes:
        text += (
            f"{block_of(lab, node)!s:<20} unicast [{node.name} "
            f"12:00:03.200] * (100) [i]\n\tvia {lab.next_hop(machine, node).address} on eth0\n"
        )
    return text


def _haproxy_config(lab: Lab) -> str:
    text = "global\n  log stdout\n\nbackend default_svc_app_port-1\n  mode http\n"
    for number, (_, _, address) in enumerate(pods_of(lab), 1):
        text += f"  server SRV_{number} {address}:8080 enabled check\n"
    return text + f"  server SRV_{lab.app.replicas + 1} 127.0.0.1:1 disabled check\n"


def status_row(server: str, status: str, address: str, check: str = "L4OK") -> str:
    return f"default_svc_app_port-1,{server},{status},{check},Layer4 check passed,2,{address},\n"


def _haproxy_status(lab: Lab) -> str:
    text = "# pxname,svname,status,check_status,last_chk,type,addr,\n"
    text += "http,FRONTEND,OPEN,,,0,,\n"
    for number, (_, _, address) in enumerate(pods_of(lab), 1):
        text += status_row(f"SRV_{number}", "UP", f"{address}:8080")
    text += status_row(f"SRV_{lab.app.replicas + 1}", "MAINT", "127.0.0.1:1", "")
    return text + "default_svc_app_port-1,BACKEND,UP,,,1,,\n"


def _api(lab: Lab) -> str:
    bodies = {name: json.dumps({"items": items}) for name, items in api_objects(lab).items()}
    bodies["readyz"] = "[+]ping ok\n[+]etcd ok\nreadyz check passed"
    bodies["version"] = json.dumps({"gitVersion": "v1.20.2"})
    url = f"https://{lab.controlplane.address}:6443"
    return "".join(f"{bodies[name]}\nlabctl-url 200 {url}{path}\n" for name, path in api_paths(lab.calico_api).items())
