"""A paragraph for a root cause: what one would see, why, how to confirm it by hand, how to repair it."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.checks.check import CheckResult


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a kind of failure means.

    seen: its symptom for a user. why: how the parts hang together. repair: what puts it right.
    """

    seen: str
    why: str
    repair: str


_LESSONS: tuple[tuple[str, Lesson], ...] = (
    (
        "host.",
        Lesson(
            "nothing of the lab answers from this host.",
            "The host stands on the lab's network itself, with the "
            "lab's gateway address; without that it has no way in.",
            "`labctl up` makes the network again.",
        ),
    ),
    (
        "machine.forwarding",
        Lesson(
            "BGP is established and the routes are there, yet no pod of this node answers.",
            "A node is a router for its pods. With net.ipv4.ip_forward "
            "off the kernel drops every packet that is not for itself.",
            "Switch forwarding on again; /etc/sysctl.d/90-labctl.conf keeps it so.",
        ),
    ),
    (
        "machine.firewall",
        Lesson(
            "connections hang, or are refused although the daemon listens; "
            "an established session stands until its hold time ends.",
            "The kernel asks the firewall before any program sees the packet.",
            "Delete the rule: `nft -a list ruleset` shows its handle, "
            "`nft delete rule FAMILY TABLE CHAIN handle N` removes it.",
        ),
    ),
    (
        "machine.rp_filter",
        Lesson(
            "requests arrive, answers never do.",
            "A strict reverse path filter drops a packet that came in on "
            "another interface than the one its answer would leave by.",
            "Set it to 2 (loose) or 0; the larger value of `all` and the interface counts.",
        ),
    ),
    (
        "machine.",
        Lesson(
            "everything that this machine does for the lab is gone or unreliable.",
            "All layers above stand on the machine: its power, its address, its disk, its memory and its clock.",
            "Put the machine right first; `labctl up` starts one that is off and continues where it stopped.",
        ),
    ),
    (
        "cluster.etcd",
        Lesson(
            "kubectl says nothing or times out. Traffic through ingress goes on: HAProxy has what it needs.",
            "The API server keeps all its objects in etcd and is not ready without it.",
            "Start etcd and look at its log, if it does not stay up.",
        ),
    ),
    (
        "cluster.",
        Lesson(
            "kubectl shows nodes or pods that are not ready, or shows nothing.",
            "The API tells the kubelets what to run, the kubelet tells containerd; readiness comes back the same way.",
            "Repair the part that is named; pods and endpoints follow by themselves within seconds.",
        ),
    ),
    (
        "calico.",
        Lesson(
            "pods get no address, or blocks are not told to BIRD.",
            "Calico is told what to do by its objects in the API; an agent on each node carries it out.",
            "Put the object right (`labctl up` applies the lab's own "
            "again) or start the agent; both take effect within seconds.",
        ),
    ),
    (
        "bgp.",
        Lesson(
            "`birdc show protocols` does not say Established, and the "
            "routes over this session go once its hold time is over.",
            "Both ends must run, know each other's address and AS number, and reach each other on TCP port 179.",
            "Repair the end that is named; BIRD tries again by itself every few seconds.",
        ),
    ),
    (
        "route.",
        Lesson(
            "some pods answer and others do not, although all sessions are established.",
            "A packet follows the most specific route of the kernel. BIRD "
            "writes one per block, learned from the node that owns it.",
            "Remove what is in the way, or let BIRD write the route again (`birdc configure`).",
        ),
    ),
    (
        "proxy.",
        Lesson(
            "requests through ingress get 503 or old pods, while pods answer when asked directly.",
            "The controller watches the API and gives HAProxy a server "
            "per ready pod; HAProxy checks each of them itself.",
            "Restart the controller, or give it the access that it lacks; it reads the whole cluster again at start.",
        ),
    ),
    (
        "http.",
        Lesson(
            "the browser shows an error.",
            "Everything below looks right, so the fault lies between this host and HAProxy, or in the application.",
            "Ask with curl -v, from the host and from ingress, and compare.",
        ),
    ),
)


def explain(result: CheckResult) -> str:
    """The paragraph for one failed check."""
    check, outcome = result.check, result.outcome
    lesson = next(lesson for prefix, lesson in _LESSONS if check.id.startswith(prefix))
    where = "On this host" if check.machine == "host" else f"On {check.machine}"
    sentences = [
        f"What you would see: {lesson.seen}",
        f"Why: {outcome.cause or outcome.observed}. {lesson.why}",
        f"{where}, `{check.command}` shows it: {outcome.observed or 'nothing'}; it should be: {check.expected}.",
        f"Repair: {lesson.repair}",
    ]
    if outcome.hint:
        sentences.append(f"Next: `{outcome.hint}`.")
    return " ".join(sentences)
