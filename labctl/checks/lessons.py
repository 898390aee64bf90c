"""What each kind of failure means: for --explain, a lesson per kind of check.

The first prefix of a check's id that fits counts, so the particular stand before the general.
"""

# ruff: noqa: E501 - a lesson is read as its sentences

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a kind of failure means.

    seen: its symptom for a user. why: how the parts hang together. repair: what puts it right.
    """

    seen: str
    why: str
    repair: str


_LESSONS: tuple[tuple[str, Lesson], ...] = (
    ("host.bridge", Lesson(
        "no machine of the lab answers, or one of them alone.",
        "Every container's cable ends in a bridge on this host; what is done to the bridge or to a cable is done to the machine.",
        "Put the cable back or switch it on again; `labctl up` makes the bridge again.",
    )),
    ("host.firewall", Lesson(
        "a request from this host gets no answer, while the same request from another machine does.",
        "What this host sends and forwards passes its own firewall first.",
        "Delete the rule on this host: `nft -a list ruleset` shows its handle.",
    )),
    ("host.name", Lesson(
        "a browser on this host asks somebody else, or nobody.",
        "A name leads to an address by /etc/hosts or by a name server, and neither knows of the lab by itself.",
        "Put the line in /etc/hosts right; `labctl hosts --apply` writes it.",
    )),
    ("host.", Lesson(
        "nothing of the lab answers from this host.",
        "The host stands on the lab's network itself, with the lab's gateway address; without that it has no way in.",
        "`labctl up` makes the network again.",
    )),
    ("machine.forwarding", Lesson(
        "BGP is established and the routes are there, yet no pod of this node answers.",
        "A node is a router for its pods. With net.ipv4.ip_forward off the kernel drops every packet that is not for itself.",
        "Switch forwarding on again; /etc/sysctl.d/90-labctl.conf keeps it so.",
    )),
    ("machine.firewall", Lesson(
        "connections hang, or are refused although the daemon listens; an established session stands until its hold time ends.",
        "The kernel asks the firewall before any program sees the packet.",
        "Delete the rule: `nft -a list ruleset` shows its handle, `nft delete rule FAMILY TABLE CHAIN handle N` removes it.",
    )),
    ("machine.rp_filter", Lesson(
        "requests arrive, answers never do.",
        "A strict reverse path filter drops a packet that came in on another interface than the one its answer would leave by.",
        "Set it to 2 (loose) or 0; the larger value of `all` and the interface counts.",
    )),
    ("machine.shaping", Lesson(
        "everything works in small, and is slow or breaks off in large.",
        "A queueing discipline stands before the cable and may delay, limit or lose packets as it was told.",
        "Delete it with `tc qdisc del dev INTERFACE root`; the kernel puts its usual one back.",
    )),
    ("machine.address", Lesson(
        "one of two machines answers, now this one, now that one; or packets end on a machine that should pass them on.",
        "ARP asks who has an address and believes whoever answers; and a kernel keeps each packet for an address of its own.",
        "Take the address away where it does not belong, or give it back where it is missing.",
    )),
    ("machine.mtu", Lesson(
        "short answers arrive, long ones hang.",
        "A packet that is larger than the smallest MTU on its way is dropped where it does not fit.",
        "Set the MTU of the interface to that of the others.",
    )),
    ("machine.disk", Lesson(
        "programs that worked an hour ago refuse to start; logs end in the middle of a line.",
        "Every program that has to write fails when there is no room, and says so in words of its own.",
        "Delete what fills it; `du -xh` shows what that is, `df -i` whether inodes are the matter.",
    )),
    ("machine.memory", Lesson(
        "programs end without a word, or the machine stands still.",
        "When memory runs out the kernel ends the process that has the most of it.",
        "End what takes it, or give the machine more in labctl.yaml.",
    )),
    ("machine.clock", Lesson(
        "certificates are not yet valid, or no longer, though nobody changed them.",
        "TLS compares a certificate's dates with the clock of the machine that checks it.",
        "Set the clock; a container has the clock of its host.",
    )),
    ("machine.certificates", Lesson(
        "a program is refused by another one although both run, and says x509 in its log.",
        "Each part of Kubernetes shows a certificate to the others, and each has a day on which it ends.",
        "Put the file back, or have a new one made: kubeadm certs renew for Kubernetes' own, `labctl up` for the lab's.",
    )),
    ("machine.kubeconfigs", Lesson(
        "a program runs and nothing happens: the API never hears of it.",
        "A kubeconfig says where the API is and who one is; a program with a wrong address asks nobody.",
        "Write the control plane's address into the file and restart the program that reads it.",
    )),
    ("machine.processes", Lesson(
        "a port is open, and whoever connects to it waits.",
        "A stopped process keeps all it has, its sockets too; the kernel takes connections on its behalf.",
        "Send it SIGCONT, or restart its unit.",
    )),
    ("machine.names", Lesson(
        "programs that are told names and not addresses ask the wrong machine.",
        "The lab has no name server: /etc/hosts is all that a machine knows.",
        "Put the line in /etc/hosts right.",
    )),
    ("machine.neighbours", Lesson(
        "one machine does not reach another, while all others do.",
        "A permanent entry of the ARP table is believed without asking, even when the interface is another one by now.",
        "Delete the entry; the next packet asks again.",
    )),
    ("machine.boot", Lesson(
        "nothing now; after the next boot a program is missing or the kernel is set otherwise.",
        "systemd starts what is enabled and sets the kernel by files; what was started or set by hand is forgotten.",
        "Enable the unit, or put the file right; what runs now need not be touched.",
    )),
    ("machine.arp", Lesson(
        "the machine, or a pod on it, seems not to be there.",
        "Without an answer by ARP nobody knows to which interface a packet should go; a pod's gateway 169.254.1.1 is nobody's, the node answers for it.",
        "Set the setting back; sysctl shows what it was changed to.",
    )),
    ("machine.ttl", Lesson(
        "neighbours answer, and whoever is one router further does not.",
        "Each router takes one from a packet's time to live and drops it at zero.",
        "Set net.ipv4.ip_default_ttl to 64 again.",
    )),
    ("machine.default", Lesson(
        "pods of this node do not answer, though routes to them are there.",
        "A kernel answers by proxy ARP only for what it could send on; without a way to everywhere it does not answer its pods.",
        "Add the default route again.",
    )),
    ("machine.connections", Lesson(
        "old connections work, new ones do not.",
        "The kernel keeps every connection in a table; when that is full it drops whatever would be a new one.",
        "Raise net.netfilter.nf_conntrack_max, and find out who opens so many.",
    )),
    ("machine.system", Lesson(
        "something of the machine is not there, though nothing of the lab says so yet.",
        "systemd marks a unit as failed when its program ended badly.",
        "Look at its log with systemctl status; `systemctl reset-failed` forgets one that is of no use.",
    )),
    ("machine.", Lesson(
        "everything that this machine does for the lab is gone or unreliable.",
        "All layers above stand on the machine: its power, its address, its disk, its memory and its clock.",
        "Put the machine right first; `labctl up` starts one that is off and continues where it stopped.",
    )),
    ("cluster.etcd", Lesson(
        "kubectl says nothing or times out. Traffic through ingress goes on: HAProxy has what it needs.",
        "The API server keeps all its objects in etcd and is not ready without it.",
        "Start etcd and look at its log, if it does not stay up.",
    )),
    ("cluster.api", Lesson(
        "kubectl says that the connection was refused, or waits. Traffic through ingress goes on.",
        "Everything in Kubernetes is said to the API server and read from it; the kubelet of the control plane runs it as a static pod.",
        "Look at the manifest in /etc/kubernetes/manifests and at the container's log; the kubelet starts it again by itself.",
    )),
    ("cluster.containerd", Lesson(
        "no container starts or stops on this node; those that run go on.",
        "The kubelet has containerd make the containers and asks it how they are.",
        "Put its configuration right and start it; the kubelet goes on by itself.",
    )),
    ("cluster.kubelet", Lesson(
        "after forty seconds the node is NotReady, after five minutes its pods are made elsewhere.",
        "The kubelet tells the API every ten seconds that its node lives, and starts what is to run there.",
        "Put what its log names right and start it.",
    )),
    ("cluster.node", Lesson(
        "pods are pending, or all on the other nodes.",
        "The scheduler gives pods to nodes that are ready, have the room and do not refuse them.",
        "Undo what is named: uncordon, take the taint away, or start the kubelet again so that the node registers itself.",
    )),
    ("cluster.system", Lesson(
        "what should happen by itself does not: new pods stay pending, endpoints stay as they were.",
        "The control plane's own programs are pods, too; each of them does one kind of work and nobody does it in its place.",
        "Put its manifest or its DaemonSet back.",
    )),
    ("cluster.app", Lesson(
        "503 from ingress, or fewer pods than wanted.",
        "Only pods that are ready get requests; a pod is ready when its container runs and its readiness probe passes.",
        "Put the Deployment right: `kubectl describe pod` shows in its events what was tried.",
    )),
    ("cluster.service", Lesson(
        "503 from ingress, though all pods are ready.",
        "A Service finds its pods by their labels and sends to one port; what matches becomes an endpoint, and only endpoints become servers of HAProxy.",
        "Make selector and target port match the pods'.",
    )),
    ("cluster.ingress", Lesson(
        "404 from ingress.",
        "An Ingress ties a host name and a path to a Service; the controller takes those of its own class, or of none.",
        "Put host, path, class and Service right.",
    )),
    ("cluster.policy", Lesson(
        "503 from ingress, while the pods are ready and answer each other.",
        "A pod that a NetworkPolicy selects gets nothing but what some rule allows; ingress is no pod and has no labels.",
        "Allow the addresses of the ingress machines with an ipBlock, or delete the policy.",
    )),
    ("calico.agent", Lesson(
        "pods that run go on; new blocks, peers and routes are not taken up on this node.",
        "The agent turns Calico's objects into BIRD's configuration and the node's routes.",
        "Start it; it reads everything again.",
    )),
    ("calico.cni", Lesson(
        "new pods on this node stay in ContainerCreating.",
        "For each new pod the container runtime takes the first CNI configuration by name and runs the plugins that it names.",
        "Put the file, or the plugin, back.",
    )),
    ("calico.pool", Lesson(
        "new pods get no address when the blocks that there are run out.",
        "Blocks are cut from an IPPool; a disabled one, or one of other addresses, gives none.",
        "Put the IPPool right; `labctl up` applies the lab's own again.",
    )),
    ("calico.peer", Lesson(
        "BIRD on ingress is Active for some node or for all: nobody there opens a session.",
        "A node opens a session with each BGPPeer that is for it, and with nobody else outside the mesh.",
        "Put the BGPPeer's address, AS number and scope right.",
    )),
    ("calico.bgp", Lesson(
        "sessions with ingress or between nodes do not come up, or end with Bad peer AS.",
        "BGPConfiguration default says which AS number the nodes have and whether they peer with each other.",
        "Put the number, and nodeToNodeMeshEnabled, right.",
    )),
    ("calico.kinds", Lesson(
        "kubectl says that the server doesn't have that resource type.",
        "Calico's objects are custom resources: without their definition the API does not know them, and deleting it deletes them all.",
        "`labctl up` installs the definitions and the lab's objects again.",
    )),
    ("calico.block", Lesson(
        "pods of this node are known to nobody else.",
        "Each node has blocks of the pod network for itself; the BlockAffinity says which, and BIRD tells the others.",
        "Restart Calico's agent on the node: it claims its block again.",
    )),
    ("bgp.config", Lesson(
        "`birdc show protocols` lacks a node, or names one that is not there.",
        "A session needs both ends' addresses and AS numbers in both ends' configuration.",
        "Put bird.conf right and have BIRD read it: `birdc configure`.",
    )),
    ("bgp.", Lesson(
        "`birdc show protocols` does not say Established, and the routes over this session go once its hold time is over.",
        "Both ends must run, know each other's address and AS number, and reach each other on TCP port 179.",
        "Repair the end that is named; BIRD tries again by itself every few seconds.",
    )),
    ("route.rules", Lesson(
        "a packet goes another way than `ip route` shows.",
        "Rules say which table is asked first; the main table is only one of them.",
        "Delete the rule.",
    )),
    ("route.lan", Lesson(
        "one machine does not reach another on the same cable.",
        "The most specific route counts, also before the one to the directly connected network.",
        "Delete the route.",
    )),
    ("route.learned", Lesson(
        "all sessions are established and no pod is reached.",
        "BIRD keeps routes in a table of its own; its kernel protocol writes them where packets find them, if their next hops can be resolved.",
        "Put the kernel protocol's export, or the sessions' `direct`, right and `birdc configure`.",
    )),
    ("route.strays", Lesson(
        "some pods answer and others do not, although all sessions are established.",
        "A route for a part of a block goes before the block's own.",
        "Delete the route.",
    )),
    ("route.own", Lesson(
        "one pod of a node does not answer, or packets for unused addresses go round in circles.",
        "A node has a route to each of its pods' interfaces, and a blackhole for the rest of its block.",
        "Delete the pod: the new one gets its route; for the blackhole `birdc configure` on the node.",
    )),
    ("route.pod", Lesson(
        "HAProxy calls the pod's server down, or requests to it hang.",
        "A packet for a pod has to pass ingress, the node, the pod's cable and the pod's own network, and its answer all of it again.",
        "Follow the packet: `tcpdump -ni any host ADDRESS` on the node, then in the pod's network namespace.",
    )),
    ("route.", Lesson(
        "some pods answer and others do not, although all sessions are established.",
        "A packet follows the most specific route of the kernel. BIRD writes one per block, learned from the node that owns it.",
        "Remove what is in the way, or let BIRD write the route again (`birdc configure`).",
    )),
    ("proxy.access", Lesson(
        "ingress serves the pods of yesterday: what changes in the cluster does not arrive.",
        "The controller reads the API with its own certificate, at the address in its kubeconfig.",
        "Put the kubeconfig right and restart the controller.",
    )),
    ("proxy.rights", Lesson(
        "the controller's log says forbidden, and what it may not read it does not know.",
        "A certificate says who one is; roles and their bindings say what that one may read.",
        "Apply the lab's role and binding again: `labctl up`.",
    )),
    ("proxy.frontend", Lesson(
        "clients connect and wait, or are refused, while HAProxy runs.",
        "A frontend can be paused, and limited in its connections, at run time: no file shows that.",
        "Enable it on the socket, or restart the controller: it starts HAProxy as the file says.",
    )),
    ("proxy.server.", Lesson(
        "requests are served, by fewer pods than are ready.",
        "HAProxy sends requests to servers that are UP and have a weight; health checks, or somebody on the socket, take one out.",
        "Set its state to ready on the socket, or repair the pod that does not answer the check.",
    )),
    ("proxy.vip", Lesson(
        "clients reach nobody, or now the one and now the other.",
        "Keepalived gives the shared address to the machine that is able; both say so to each other over VRRP.",
        "Start Keepalived where it does not run, and let its packets through.",
    )),
    ("proxy.", Lesson(
        "requests through ingress get 503 or old pods, while pods answer when asked directly.",
        "The controller watches the API and gives HAProxy a server per ready pod; HAProxy checks each of them itself.",
        "Restart the controller, or give it the access that it lacks; it reads the whole cluster again at start.",
    )),
    ("http.unknown", Lesson(
        "a name that nobody serves is answered all the same, or with an error of another kind.",
        "HAProxy sends what no Ingress names to its default backend, which says 404.",
        "Look for an Ingress without a host, and for what stands between this host and HAProxy.",
    )),
    ("http.", Lesson(
        "the browser shows an error.",
        "Everything below looks right, so the fault lies between this host and HAProxy, or in the application.",
        "Ask with curl -v, from the host and from ingress, and compare.",
    )),
)  # fmt: skip


def lesson_for(check: str) -> Lesson:
    """The lesson for a check, by its id. Raises StopIteration for an id of no layer."""
    return next(lesson for prefix, lesson in _LESSONS if check.startswith(prefix))
