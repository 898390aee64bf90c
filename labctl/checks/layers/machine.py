"""Layer machine: each machine answers, has its address, and has the disk, memory, time and kernel settings it needs."""

from __future__ import annotations

from labctl.checks import machine_network as network
from labctl.checks import machine_packets as packets
from labctl.checks import machine_state as state
from labctl.checks.check import Layer, Lesson, Outcome, failed, passed
from labctl.checks.declare import (
    Declaration,
    Declarations,
    adds_to,
    each_but_routers,
    each_forwarder,
    each_machine,
    each_node,
    host_route,
)
from labctl.checks.facts import Facts
from labctl.checks.why_machine_is_silent import answers_over_ssh
from labctl.facts import bird, certificates, ip, nftables, system, systemd
from labctl.model.lab import Lab, Machine

LEAST_MEMORY_KIB = 64 * 1024  # below it the kernel's OOM killer is near
MOST_CLOCK_SECONDS = 2.0  # etcd warns at 1 s; TLS certificates begin to fail with minutes

CHECKS = Declarations(Layer.MACHINE, by_machine=True)
check = adds_to(CHECKS, Declaration)


check(
    "",
    answers_over_ssh,
    on=each_machine,
    title="{machine} answers over SSH",
    expected="an SSH connection, and python3 there",
    command="labctl ssh {machine} -- true",
    lesson=Lesson(
        "everything that this machine does for the lab is gone or unreliable.",
        "All layers above depend on the machine: its power, address, disk, memory and clock.",
        "Fix the machine first. `labctl up` starts a machine that is off and continues where it stopped.",
    ),
    needs=host_route,
    explained_by=lambda lab, _machine: (
        (Layer.HOST.check("bridge"), Layer.HOST.check("firewall")) if lab.provider.traits.makes_bridge else ()
    ),
)

check(
    "system",
    state.system,
    on=each_machine,
    reads=(systemd.FailedUnits,),
    title="No unit has failed on {machine}",
    expected="no failed unit",
    command="systemctl --failed",
    lesson=Lesson(
        "a service of the machine is missing, although no other check of the lab fails yet.",
        "systemd marks a unit as failed when its program ended with an error.",
        "Read its log: `systemctl status`. `systemctl reset-failed` clears a unit that nobody needs.",
    ),
)
check(
    "address",
    network.address,
    on=each_machine,
    reads=(ip.Addresses, ip.Neighbours),
    title="{machine} alone has {0.address}",
    expected="{0.address}, on an interface that is up",
    command="ip addr",
    lesson=Lesson(
        "now one of two machines answers, now the other; or packets end on a machine that should forward them.",
        "ARP asks who has an address and accepts any answer. A kernel keeps packets for its own addresses.",
        "Remove the address where it does not belong, or add it where it is missing.",
    ),
)
check(
    "mtu",
    packets.mtu,
    on=each_machine,
    reads=(ip.Addresses,),
    title="{machine} sends packets of full size",
    expected="the same MTU as the other machines",
    command="ip link",
    lesson=Lesson(
        "short answers arrive, long ones hang.",
        "A packet larger than the smallest MTU on its path is dropped where it does not fit.",
        "Set the interface's MTU to that of the others.",
    ),
)
check(
    "disk",
    state.disk,
    on=each_machine,
    reads=(system.Filesystems, system.Inodes, system.ReadOnlyMounts),
    title="{machine} has disk space",
    expected=f"less than {state.FULLEST_PERCENT:.0f} % full",
    command="df -h",
    lesson=Lesson(
        "programs that worked an hour ago refuse to start; logs end in the middle of a line.",
        "Each program that has to write fails when there is no space, and reports it in its own words.",
        "Delete what fills it: `du -xh` shows what that is, `df -i` whether inodes ran out.",
    ),
)


def memory(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """There is memory left."""
    available = facts.on(machine.name)[system.Memory].get("MemAvailable", 0)
    words = f"{available // 1024} MiB available"
    if available >= LEAST_MEMORY_KIB:
        return passed(words)
    return failed(words, f"{machine.name} is out of memory", f"labctl ssh {machine.name} -- free -m")


check(
    "memory",
    memory,
    on=each_machine,
    reads=(system.Memory,),
    title="{machine} has free memory",
    expected=f"at least {LEAST_MEMORY_KIB // 1024} MiB available",
    command="free -m",
    lesson=Lesson(
        "programs end without a message, or the machine hangs.",
        "When memory runs out, the kernel kills the process that uses the most.",
        "Stop what uses it, or give the machine more memory in labctl.yaml.",
    ),
)
check(
    "names",
    network.names,
    on=each_machine,
    reads=(system.HostNames, system.HostName),
    title="{machine} resolves the other machines' names",
    expected="each machine's own address",
    command="cat /etc/hosts",
    lesson=Lesson(
        "programs that use names instead of addresses ask the wrong machine.",
        "The lab has no DNS server: /etc/hosts is all that a machine knows.",
        "Correct the line in /etc/hosts.",
    ),
)


def clock(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """The machine's clock agrees with the host's."""
    offset = facts.on(machine.name).clock_offset
    words = f"{offset:+.1f} s"
    if abs(offset) <= MOST_CLOCK_SECONDS:
        return passed(words)
    side = "ahead of" if offset > 0 else "behind"
    cause = f"the clock of {machine.name} is {abs(offset):.0f} s {side} this host's"
    return failed(words, cause, f"labctl ssh {machine.name} -- timedatectl")


check(
    "clock",
    clock,
    on=each_machine,
    title="The clock of {machine} is right",
    expected=f"within {MOST_CLOCK_SECONDS:.0f} s of this host's",
    command="date",
    lesson=Lesson(
        "certificates are not yet valid, or have expired, although nobody changed them.",
        "TLS compares a certificate's dates with the clock of the machine that verifies it.",
        "Set the clock. A container uses the clock of its host.",
    ),
)
check(
    "firewall",
    packets.firewall,
    on=each_machine,
    reads=(nftables.DropRules,),
    title="No firewall rule on {machine} blocks the lab",
    expected="none but those of Kubernetes and Calico",
    command="nft list ruleset",
    lesson=Lesson(
        "connections hang, or are refused although the daemon listens; a session lasts until its hold time ends.",
        "The kernel applies the firewall before any program sees the packet.",
        "Find its handle with `nft -a list ruleset`, then `nft delete rule FAMILY TABLE CHAIN handle N`.",
    ),
)
check(
    "shaping",
    packets.shaping,
    on=each_machine,
    reads=(ip.QueueingDisciplines,),
    title="No interface of {machine} drops or delays packets",
    expected="no netem, no tbf",
    command="tc qdisc show",
    lesson=Lesson(
        "small requests work; large ones are slow or break off.",
        "A queueing discipline on the interface can delay, limit or drop packets.",
        "Delete it with `tc qdisc del dev INTERFACE root`. The kernel then restores its default.",
    ),
)
check(
    "rp_filter",
    packets.rp_filter,
    on=each_machine,
    reads=(system.Sysctls, ip.Addresses),
    title="{machine} accepts answers on any path",
    expected="not 1 (strict)",
    command="sysctl -a -r 'rp_filter$'",
    lesson=Lesson(
        "requests arrive, answers never do.",
        "A strict reverse path filter drops packets that arrive on another interface than answers leave by.",
        "Set it to 2 (loose) or 0. The larger value of `all` and the interface counts.",
    ),
)
check(
    "processes",
    packets.processes,
    on=each_machine,
    reads=(system.StoppedProcesses,),
    title="No process on {machine} is stopped by a signal",
    expected="none in state T",
    command="ps -eo stat,pid,args | grep ^T",
    lesson=Lesson(
        "a port is open, but clients that connect to it wait for an answer.",
        "A stopped process keeps everything it has, its sockets too. The kernel accepts connections on its behalf.",
        "Send it SIGCONT, or restart its unit.",
    ),
)
check(
    "neighbours",
    network.neighbours,
    on=each_machine,
    reads=(ip.Neighbours,),
    title="{machine} learns the other machines' MAC addresses by ARP",
    expected="no permanent entry",
    command="ip neigh show nud permanent",
    lesson=Lesson(
        "one machine cannot reach another, while all others can.",
        "The kernel uses a permanent entry of the ARP table without asking, even when the MAC address has changed.",
        "Delete the entry. The next packet triggers a new ARP request.",
    ),
)
check(
    "connections",
    network.connections,
    on=each_machine,
    reads=(system.Sysctls,),
    title="{machine} can track more connections",
    expected="less than 95 % of the table used",
    command="sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
    lesson=Lesson(
        "existing connections work, new ones do not.",
        "The kernel keeps each connection in a table. When the table is full, it drops packets of new connections.",
        "Raise net.netfilter.nf_conntrack_max, and find out what opens so many.",
    ),
)
check(
    "certificates",
    state.certificates,
    on=each_but_routers,
    reads=(certificates.Certificates,),
    title="The certificates of {machine} exist and are valid",
    expected="each valid now",
    command="openssl x509 -noout -enddate -in FILE",
    lesson=Lesson(
        "one program rejects another although both run, and its log says x509.",
        "The parts of Kubernetes identify themselves with certificates, and each certificate has an end date.",
        "Restore the file, or renew it: `kubeadm certs renew` for Kubernetes' own, `labctl up` for the lab's.",
    ),
)
check(
    "ttl",
    network.time_to_live,
    on=each_machine,
    reads=(system.Sysctls,),
    title="Packets of {machine} can pass several routers",
    expected="64",
    command="sysctl net.ipv4.ip_default_ttl",
    lesson=Lesson(
        "neighbors answer, but machines behind the next router do not.",
        "Each router subtracts one from a packet's time to live and drops the packet at zero.",
        "Set net.ipv4.ip_default_ttl back to 64.",
    ),
)
check(
    "boot",
    state.boot,
    on=each_machine,
    reads=(systemd.Units, bird.BirdSyntax, system.SysctlFiles, system.Sysctls),
    title="{machine} will work the same after its next boot",
    expected="each unit enabled, configuration files correct",
    command="systemctl is-enabled UNIT; grep -r . /etc/sysctl.d",
    lesson=Lesson(
        "nothing now; after the next boot a program is missing or a kernel setting differs.",
        "At boot, systemd starts what is enabled and sets the kernel from files. Changes made by hand are lost.",
        "Enable the unit, or correct the file. What runs now can stay as it is.",
    ),
)
check(
    "arp",
    network.arp_settings,
    on=each_machine,
    reads=(system.Sysctls, ip.Addresses),
    title="{machine} answers ARP requests, its pods' too",
    expected="arp_ignore 0, proxy_arp 1 on the pods' interfaces",
    command="sysctl -a -r '(arp_ignore|proxy_arp)$'",
    lesson=Lesson(
        "the machine, or a pod on it, seems to be gone.",
        "Without an ARP reply packets have no destination. A node answers for its pods' gateway 169.254.1.1.",
        "Restore the setting. sysctl shows its current value.",
    ),
)
check(
    "kubeconfigs",
    state.kubeconfigs,
    on=each_node,
    reads=(certificates.KubeconfigServers,),
    title="The kubeconfigs of {machine} point to the API",
    expected="the control plane's address",
    command="grep server: /etc/kubernetes/*.conf",
    lesson=Lesson(
        "a program runs and nothing happens: the API never hears from it.",
        "A kubeconfig says where the API is and who the client is. A program with a wrong address reaches nothing.",
        "Write the control plane's address into the file and restart the program that reads it.",
    ),
)
check(
    "forwarding",
    network.forwarding,
    on=each_forwarder,
    reads=(system.Sysctls, ip.Addresses),
    title="{machine} forwards packets",
    expected="1",
    command="sysctl net.ipv4.ip_forward",
    lesson=Lesson(
        "BGP is established and the routes exist, yet no pod of this node answers.",
        "A node is a router for its pods. With net.ipv4.ip_forward off, it drops packets that are not its own.",
        "Turn forwarding on again. /etc/sysctl.d/90-labctl.conf keeps it on after a boot.",
    ),
)

check(
    "default",
    network.default_route,
    on=each_node,
    reads=(ip.Routes,),
    title="{machine} has a default route",
    expected="a default route",
    command="ip route show default",
    lesson=Lesson(
        "pods of this node do not answer, although routes to them exist.",
        "By proxy ARP a node answers its pods only for addresses that it has a route to.",
        "Add the default route again.",
    ),
)
