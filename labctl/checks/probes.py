"""What verify asks of each machine: read-only shell command lines, all of them in one round trip.

A probe's command is what a person would type on that machine; the checks show it. Where a file or port is named, its
place is fixed by the lab's steps (scripts/) or by the software itself (kubeadm, Calico, HAProxy's controller).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from ipaddress import IPv4Address

from labctl.checks.credentials import (
    API_PORT,
    CONTROLLER_KUBECONFIG,
    END_OF_ANSWER,
    as_reader,
    certificates_command,
    certificates_of,
    curl_within,
    etcd_health_command,
    rights_command,
)
from labctl.checks.patience import ANSWER_SECONDS
from labctl.model.lab import Lab, Machine, Role, Source

BIRD_UNIT = "bird.service"
AGENT_UNIT = "labctl-calico-node.service"
CONTROLLER_UNIT = "haproxy-ingress.service"
KEEPALIVED_UNIT = "keepalived.service"
CONTAINERD_UNIT = "containerd.service"
KUBELET_UNIT = "kubelet.service"
ETCD_UNIT = "etcd.service"
SSH_UNIT = "ssh.service"
BIRD_CONFIG = "/etc/bird/bird.conf"
HAPROXY_CONFIG = "/var/lib/haproxy-ingress/haproxy.cfg"
HAPROXY_SOCKET = "/run/haproxy-ingress/haproxy-runtime-api.sock"

UNIT_PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,StateChangeTimestamp,UnitFileState"

API_PATHS = {
    "readyz": "/readyz?verbose",
    "version": "/version",
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "services": "/api/v1/services",
    "endpoints": "/api/v1/endpoints",
    "deployments": "/apis/apps/v1/deployments",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "ingresses": "/apis/networking.k8s.io/v1/ingresses",
    "ingressclasses": "/apis/networking.k8s.io/v1/ingressclasses",
    "ippools": "/apis/projectcalico.org/v3/ippools",
    "bgpconfigurations": "/apis/projectcalico.org/v3/bgpconfigurations",
    "bgppeers": "/apis/projectcalico.org/v3/bgppeers",
    "blockaffinities": "/apis/projectcalico.org/v3/blockaffinities",
    "networkpolicies": "/apis/networking.k8s.io/v1/networkpolicies",
    "caliconetworkpolicies": "/apis/crd.projectcalico.org/v1/networkpolicies",
    "globalnetworkpolicies": "/apis/crd.projectcalico.org/v1/globalnetworkpolicies",
}
"""What is read from the Kubernetes API, by the name that the facts give it.

Calico's policies are read where it keeps them: its API server shows only those in tiers that one may read.
"""
OPTIONAL_KINDS = ("caliconetworkpolicies", "globalnetworkpolicies")
"""What a cluster need not have: what stands in for Calico has no policies."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. command: a shell command line. deadline: seconds that it may take, on a host that is not busy."""

    name: str
    command: str
    deadline: float = 4.0


# A daemon of the machine's own answers at once, or it hangs.
_DAEMON_SECONDS = ANSWER_SECONDS
# All questions of the API together: one that has lost etcd answers each of them late.
_API_SECONDS = 1.5
# A container's runtime is asked first, which takes its time.
_IN_CONTAINER_SECONDS = 4.0


_SYSCTLS = (
    "ipv4/ip_forward",
    *(f"ipv4/conf/*/{name}" for name in ("rp_filter", "forwarding", "proxy_arp", "arp_ignore")),
    "ipv4/ip_default_ttl",
    *(f"netfilter/nf_conntrack_{name}" for name in ("count", "max")),
)
_SYSCTL_FILES = "/usr/lib/sysctl.d/*.conf /run/sysctl.d/*.conf /etc/sysctl.d/*.conf"
_FILE_SETTINGS = r"^\s*-?net[./]ipv4[./](ip_forward|conf[./]all[./](rp_filter|forwarding))\s*="
# nft does not list the rules of iptables-legacy; the kernel names their tables, once there are any.
_FIREWALL = (
    "nft list ruleset 2>/dev/null || iptables-save; ! grep -qs . /proc/net/ip_tables_names || iptables-legacy-save"
)
_EVERYWHERE = (
    Probe("addresses", "ip -json addr"),
    Probe("routes", "ip -json route"),
    Probe("local-routes", "ip -json route show table local"),
    Probe("neighbours", "ip -json neigh"),
    Probe("rules", "ip -json rule"),
    Probe("listeners", "ss -ltnpH"),
    Probe("failed-units", "systemctl list-units --failed --plain --no-legend"),
    Probe("disk", "df -Pk -x iso9660 -x squashfs -x vboxsf"),
    Probe("inodes", "df -Pi -x iso9660 -x squashfs -x vboxsf"),
    Probe("read-only", r"grep -E '^\S+ /\S* \S+ ro[, ]' /proc/mounts || true"),
    Probe("memory", "cat /proc/meminfo"),
    Probe("sysctls", f"grep -s . {' '.join(f'/proc/sys/net/{name}' for name in _SYSCTLS)}"),
    Probe("sysctl-files", f"grep -sHE {shlex.quote(_FILE_SETTINGS)} {_SYSCTL_FILES} || true"),
    # What has a terminal was stopped by somebody who sits there, with Ctrl-Z.
    Probe("processes", r"ps -eo stat=,tty=,pid=,comm=,args= | sed -nE 's/^(T\S* +)\? +/\1/p'"),
    Probe("hostname", "uname -n"),
    Probe("firewall", _FIREWALL),
    Probe("qdiscs", "tc qdisc show"),
)


def network_probes() -> tuple[Probe, ...]:
    """What may be the reason why a machine does not answer, asked within the machine."""
    names = ("addresses", "routes", "local-routes", "neighbours", "rules", "listeners", "sysctls", "firewall", "qdiscs")
    chosen = [probe for probe in _EVERYWHERE if probe.name in (*names, "processes")]
    return (*chosen, Probe("units", show_units((SSH_UNIT,))))


def units_of(lab: Lab, machine: Machine) -> tuple[str, ...]:
    """The units that this machine must run."""
    source = lab.source
    if machine.role is Role.ROUTER:
        return (BIRD_UNIT,)
    if machine.role is Role.INGRESS:
        shared = (KEEPALIVED_UNIT,) if lab.vip else ()
        return (BIRD_UNIT, CONTROLLER_UNIT, *shared)
    units = [CONTAINERD_UNIT, KUBELET_UNIT]
    if source is Source.DEBIAN:
        units += [BIRD_UNIT, AGENT_UNIT]
        if machine.role is Role.CONTROLPLANE:
            units.append(ETCD_UNIT)
    return tuple(units)


def show_units(units: tuple[str, ...]) -> str:
    """The command that shows these units' states."""
    return f"systemctl show --property={UNIT_PROPERTIES} {' '.join(units)}"


def birdc(machine: Machine, source: Source, words: str) -> str:
    """The command that asks BIRD on that machine. Real Calico keeps BIRD 1.6 in its own container."""
    if machine.is_node and source is Source.UPSTREAM:
        socket = "/var/run/calico/bird.ctl"
        return f"crictl exec $(crictl ps -q --name '^calico-node$') birdcl -s {socket} {words}"
    return f"birdc {words}"


def names_command(lab: Lab) -> str:
    """The command that shows what the lab's names mean on a machine: a name without an answer has no line."""
    return f"getent ahostsv4 {' '.join(machine.name for machine in lab.machines)} || true"


def probes_for(lab: Lab, machine: Machine, patience: float = 1.0) -> tuple[Probe, ...]:
    """All probes of the first round trip to that machine. patience: as patience.patience says."""
    own = [
        Probe("units", show_units(units_of(lab, machine))),
        _ask_bird("protocols", lab, machine, "show protocols all"),
    ]
    if machine.role is Role.CONTROLPLANE:
        if lab.source is Source.DEBIAN:
            own.append(Probe("etcd-health", etcd_health_command(patience)))
        own.insert(0, Probe("api", api_command(machine.address, patience), _API_SECONDS))
    own.append(Probe("names", names_command(lab)))
    if files := certificates_of(machine, lab.source):
        own.append(Probe("certificates", certificates_command(files)))
    if not machine.is_node or lab.source is Source.DEBIAN:
        own.append(Probe("bird-options", _BIRD_OPTIONS))
        own.append(Probe("bird-syntax", f"bird -p -c {BIRD_CONFIG}"))
    if machine.role is Role.CONTROLPLANE:
        own.append(Probe("controller-rights", rights_command(machine.address, lab.source, patience), _API_SECONDS))
    if machine.is_node:
        own.append(Probe("cni", "grep -s . /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist"))
        own.append(Probe("cni-plugins", "find -L /opt/cni/bin -maxdepth 1 -type f -perm -100 -printf '%f\\n'"))
    else:
        own.append(_ask_bird("bird-routes", lab, machine, "show route"))
    if machine.role is Role.INGRESS:
        own += _of_ingress(patience)
    return (*own, *_EVERYWHERE)


def _ask_bird(name: str, lab: Lab, machine: Machine, words: str) -> Probe:
    contained = machine.is_node and lab.source is Source.UPSTREAM
    deadline = _IN_CONTAINER_SECONDS if contained else _DAEMON_SECONDS
    return Probe(name, birdc(machine, lab.source, words), deadline)


def _of_ingress(patience: float) -> list[Probe]:
    as_its_user = f'runuser -u "$(systemctl show --property=User --value {CONTROLLER_UNIT} | grep . || echo root)" --'
    within = f"--request-timeout={ANSWER_SECONDS * patience:.3g}s"
    read = f"kubectl --kubeconfig={CONTROLLER_KUBECONFIG} {within} get --raw '/api/v1/services?limit=1'"
    access = f"{as_its_user} {read}"
    return [
        Probe("controller-access", f"{access} >/dev/null", _API_SECONDS),
        Probe("haproxy-config", f"cat {HAPROXY_CONFIG}"),
        Probe("haproxy-status", f"echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET}", _DAEMON_SECONDS),
        Probe("haproxy-info", f"echo show info | socat - UNIX-CONNECT:{HAPROXY_SOCKET}", _DAEMON_SECONDS),
        Probe("healthz", f"{shlex.join(curl_within(patience))} -o /dev/null -w '%{{http_code}}' {_HEALTHZ}"),
    ]


_HEALTHZ = "http://127.0.0.1:1042/healthz"
_BIRD_OPTIONS = (
    "grep -nE '^ *(protocol bgp|password|passive|ttl security|source address|router id|bfd|neighbor|local)"
    "|(import|receive) limit'"
    f" {BIRD_CONFIG} | sed 's/password.*/password .../'"
)
"""What can keep a session down and does not show in `birdc show protocols`; a password itself is not read."""


def api_command(address: IPv4Address, patience: float = 1.0) -> str:
    """One curl for everything that is read from the API: one process and one TLS session.

    Each body is followed by a line `labctl-url STATUS URL`.
    """
    urls = [f"https://{address}:{API_PORT}{path}" for path in API_PATHS.values()]
    words = [
        *as_reader(patience),
        *("-w", rf"\n{END_OF_ANSWER}\n"),
        *urls,
    ]
    return shlex.join(words)


def reach_probe(
    targets: tuple[tuple[IPv4Address, int | None], ...],
    mtu: int,
    *,
    routed: bool = False,
    patience: float = 1.0,
    unpinged: frozenset[IPv4Address] = frozenset(),
) -> tuple[Probe, ...]:
    """Second round trip, on ingress: does each pod answer, and does a packet of full size get there and back?

    targets: pod address and the TCP port on which it answers HTTP (None: it has none). mtu: bytes of the lab's
    interface. routed: whether a router is in between, so that it is asked who is the first hop. unpinged: pods that a
    policy keeps pings from.
    """
    probes = []
    for address, port in targets:
        if address not in unpinged:
            probes.append(Probe(f"ping {address}", f"ping -n -c 1 -W 1 {address}"))
            full = f"ping -n -c 1 -W 1 -M probe -s {mtu - 28} {address}"
            probes.append(Probe(f"ping-full {address}", full))
        if routed:
            probes.append(Probe(f"hop {address}", f"ping -n -c 1 -W 1 -t 1 {address}"))
        if port is not None:
            probes.append(Probe(f"http {address}", http_command(address, port, patience)))
    return tuple(probes)


def http_command(address: IPv4Address, port: int, patience: float) -> str:
    """The command that asks one pod directly; it prints the HTTP status, and curl's own words where it fails."""
    return f"{shlex.join(curl_within(patience))} -o /dev/null -w '%{{http_code}}' http://{address}:{port}/"


PODS_INSIDE = "pods-inside"
MOST_NAMESPACES = 30
_PODS_INSIDE = (
    f"for path in $(ls -d /run/netns/cni-* 2>/dev/null | head -n {MOST_NAMESPACES}); do name=${{path##*/}};"
    ' echo "labctl-netns $name"; echo "$(ip -n "$name" -json addr)"; echo "$(ip -n "$name" -json route)";'
    ' ip netns exec "$name" cat /proc/sys/net/ipv4/icmp_echo_ignore_all; ip netns exec "$name" nft list ruleset; done'
)
"""Of each pod's network namespace: its name, addresses, routes, whether it ignores ping, and firewall rules."""


def closer_look(lab: Lab, machine: Machine) -> tuple[Probe, ...]:
    """What is asked of a machine only where a check fails: the last words of its units, its pods' own networks."""
    found = [Probe(f"journal {unit}", journal_command(unit)) for unit in units_of(lab, machine)]
    if machine.is_node:
        found.append(Probe(PODS_INSIDE, _PODS_INSIDE))
    if machine.role is Role.CONTROLPLANE:
        found += [Probe(f"journal {part}", container_log_command(part)) for part in CONTROL_PLANE_PARTS]
    return tuple(found)


CONTROL_PLANE_PARTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""kubeadm's static pods, by their containers' names."""


def container_log_command(part: str) -> str:
    """The command that shows the last errors of a control plane's part, which the kubelet keeps on its node."""
    newest = f"ls -t /var/log/pods/kube-system_{part}-*/{part}/*.log 2>/dev/null | head -n 1"
    words = r"sed 's/^[^ ]* [^ ]* [A-Z] //' | grep -E '^[EFW][0-9]|^Error|^panic'"
    return f'tail -n 60 "$({newest})" | {words} | tail -n 3'


def journal_command(unit: str) -> str:
    """The command that shows a unit's last words.

    The kubelet says why it ends (klog's level F) before a trace, and before the whole list of flags at its next start.
    """
    read = f"journalctl --unit={unit} --output=cat --no-pager --boot"
    last = f"{read} --lines=12"
    return f"{last}; {read} --lines=400 | grep -E '^F[0-9]{{4}} ' | tail -n 1" if unit == KUBELET_UNIT else last
