"""Layer machine: each machine answers, has its address, and has what it needs of disk, memory, time and kernel
settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.checks.layers.addresses import address
from labctl.checks.layers.boot import boot
from labctl.checks.layers.certificates import certificates, kubeconfigs
from labctl.checks.layers.kernel import arp_settings, connections, forwarding, neighbours, time_to_live
from labctl.checks.layers.names import names
from labctl.checks.layers.packets import firewall, mtu, rp_filter, shaping
from labctl.checks.layers.processes import processes
from labctl.checks.layers.storage import FULLEST_PERCENT, disk
from labctl.checks.why_machine_is_silent import why_machine_is_silent
from labctl.facts.ip import Routes
from labctl.facts.system import Memory
from labctl.facts.systemd import FailedUnits, units_of
from labctl.model.lab import Lab, Machine, Role

LEAST_MEMORY_KIB = 64 * 1024  # below it the kernel's OOM killer is near
MOST_CLOCK_SECONDS = 2.0  # etcd warns at 1 s; TLS certificates begin to fail with minutes

Run = Callable[[Facts, Lab, Machine], Outcome]


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """All checks of this layer."""
    found = []
    for machine in lab.machines:
        found.append(_answers_check(machine))
        found += [_check(machine, question) for question in _EVERYWHERE if question.concerns(machine)]
        if machine.is_node:
            found += [_check(machine, question) for question in _ON_NODES]
        if machine.forwards:
            found += [_check(machine, question) for question in _ON_ROUTERS if question.concerns(machine)]
    return found


def _answers_check(machine: Machine) -> Check:
    def run(facts: Facts, lab: Lab) -> Outcome:
        return answers(facts, lab, machine)

    return Check(
        id=f"machine.{machine.name}",
        layer=Layer.MACHINE,
        machine=machine.name,
        title=f"{machine.name} answers over SSH",
        expected="an SSH connection, and python3 there",
        command=f"labctl ssh {machine.name} -- true",
        run=run,
        needs=("host.route",),
        explained_by=("host.bridge", "host.firewall"),
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """One check that several machines share; {machine} and {address} in its texts stand for the machine's."""

    subject: str
    title: str
    expected: str
    command: str
    probe: str
    run: Run

    def concerns(self, machine: Machine) -> bool:
        """Whether the machine is asked: a router has no certificates, and no pods that need its default route."""
        return machine.role is not Role.ROUTER or self.subject not in {"certificates", "default"}


def _check(machine: Machine, question: _Question) -> Check:
    def run(facts: Facts, lab: Lab) -> Outcome:
        return question.run(facts, lab, machine)

    return Check(
        id=f"machine.{question.subject}.{machine.name}",
        layer=Layer.MACHINE,
        machine=machine.name,
        title=question.title.format(machine=machine.name, address=machine.address),
        expected=question.expected.format(address=machine.address),
        command=question.command,
        run=run,
        needs=(f"machine.{machine.name}",),
        probe=question.probe,
    )


def answers(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """SSH gets through and the probes ran."""
    found = facts.on(machine.name)
    if found.reachable:
        return passed(f"answers at {machine.address}")
    return failed(found.error, why_machine_is_silent(facts, lab, machine))


def system(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No unit has failed, beside those that have checks of their own and what somebody ran by systemd-run."""
    own = units_of(lab, machine)
    broken = [unit for unit in facts.on(machine.name)[FailedUnits] if unit not in own and not unit.startswith("run-")]
    if not broken:
        return passed("no failed unit")
    cause = f"{counted(len(broken), 'unit')} failed on {machine.name}: {listed(broken)}"
    return failed(listed(broken), cause, f"labctl ssh {machine.name} -- systemctl status {broken[0]}")


def memory(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """There is memory left."""
    available = facts.on(machine.name)[Memory].get("MemAvailable", 0)
    words = f"{available // 1024} MiB available"
    if available >= LEAST_MEMORY_KIB:
        return passed(words)
    return failed(words, f"{machine.name} is out of memory", f"labctl ssh {machine.name} -- free -m")


def clock(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """The machine's clock agrees with the host's."""
    offset = facts.on(machine.name).clock_offset
    words = f"{offset:+.1f} s"
    if abs(offset) <= MOST_CLOCK_SECONDS:
        return passed(words)
    side = "ahead of" if offset > 0 else "behind"
    cause = f"the clock of {machine.name} is {abs(offset):.0f} s {side} this host's"
    return failed(words, cause, f"labctl ssh {machine.name} -- timedatectl")


def default_route(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """A default route exists: without one a node does not answer its pods' ARP requests for 169.254.1.1 (proxy ARP).

    On the lab's own bridge it leads to this host; a hypervisor's may have whatever address.
    """
    routes = [route for route in facts.on(machine.name)[Routes] if route.destination.prefixlen == 0]
    usable = sorted((route for route in routes if route.kind == "unicast"), key=lambda route: route.metric)
    if usable and lab.provider.traits.makes_bridge and usable[0].gateways != (lab.network.gateway,):
        cause = f"{machine.name}'s default route does not lead to the lab's gateway {lab.network.gateway}: {usable[0]}"
        hint = f"labctl ssh {machine.name} -- ip route replace default via {lab.network.gateway}"
        return failed(str(usable[0]), cause, hint)
    if usable:
        return passed(str(usable[0]))
    hint = f"labctl ssh {machine.name} -- ip route add default via {lab.network.gateway}"
    return failed("no default route", f"{machine.name} has no default route, so its pods can't answer either", hint)


_EVERYWHERE: tuple[_Question, ...] = (
    _Question(
        "system", "No unit has failed on {machine}", "no failed unit", "systemctl --failed", "failed-units", system
    ),
    _Question(
        "address",
        "{machine} has {address} for itself",
        "{address}, on an interface that is up",
        "ip addr",
        "addresses",
        address,
    ),
    _Question(
        "mtu", "{machine} sends packets of full size", "as large as the other machines'", "ip link", "addresses", mtu
    ),
    _Question("disk", "{machine} has disk space", f"less than {FULLEST_PERCENT:.0f} % full", "df -h", "disk", disk),
    _Question(
        "memory",
        "{machine} has memory",
        f"at least {LEAST_MEMORY_KIB // 1024} MiB available",
        "free -m",
        "memory",
        memory,
    ),
    _Question(
        "names",
        "{machine} knows the other machines by name",
        "every machine's own address",
        "cat /etc/hosts",
        "names",
        names,
    ),
    _Question(
        "clock",
        "The clock of {machine} is right",
        f"within {MOST_CLOCK_SECONDS:.0f} s of this host's",
        "date",
        "",
        clock,
    ),
    _Question(
        "firewall",
        "No firewall rule on {machine} is in the way",
        "none but Kubernetes' and Calico's",
        "nft list ruleset",
        "firewall",
        firewall,
    ),
    _Question(
        "shaping",
        "No interface of {machine} loses or delays packets",
        "no netem, no tbf",
        "tc qdisc show",
        "qdiscs",
        shaping,
    ),
    _Question(
        "rp_filter",
        "{machine} accepts answers on any path",
        "not 1 (strict)",
        "sysctl -a -r 'rp_filter$'",
        "sysctls",
        rp_filter,
    ),
    _Question(
        "processes",
        "No process of {machine} is stopped by a signal",
        "none in state T",
        "ps -eo stat,pid,args | grep ^T",
        "processes",
        processes,
    ),
    _Question(
        "neighbours",
        "{machine} learns by ARP where the other machines are",
        "no permanent entry",
        "ip neigh show nud permanent",
        "neighbours",
        neighbours,
    ),
    _Question(
        "connections",
        "{machine} can track more connections",
        "less than 95 % of the table used",
        "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
        "sysctls",
        connections,
    ),
    _Question(
        "certificates",
        "The certificates of {machine} are there and valid",
        "each valid now",
        "openssl x509 -noout -enddate -in FILE",
        "certificates",
        certificates,
    ),
    _Question(
        "ttl",
        "Packets of {machine} may pass several routers",
        "64",
        "sysctl net.ipv4.ip_default_ttl",
        "sysctls",
        time_to_live,
    ),
    _Question(
        "boot",
        "{machine} will be the same after its next boot",
        "each unit enabled, files right",
        "systemctl is-enabled UNIT; grep -r . /etc/sysctl.d",
        "units",
        boot,
    ),
    _Question(
        "arp",
        "{machine} answers ARP requests, its pods' too",
        "arp_ignore 0, proxy_arp 1 on the pods' interfaces",
        "sysctl -a -r '(arp_ignore|proxy_arp)$'",
        "sysctls",
        arp_settings,
    ),
)

_ON_NODES: tuple[_Question, ...] = (
    _Question(
        "kubeconfigs",
        "The kubeconfigs of {machine} lead to the API",
        "the control plane's address",
        "grep server: /etc/kubernetes/*.conf",
        "certificates",
        kubeconfigs,
    ),
)

_ON_ROUTERS: tuple[_Question, ...] = (
    _Question("forwarding", "{machine} forwards packets", "1", "sysctl net.ipv4.ip_forward", "sysctls", forwarding),
    _Question(
        "default", "{machine} has a default route", "a default route", "ip route show default", "routes", default_route
    ),
)
