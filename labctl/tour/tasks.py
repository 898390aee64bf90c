"""The tasks of the exercise, in the article's order. BIRD is not configured yet when it begins."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address

from labctl.errors import LabctlError
from labctl.facts.birdc import parse_protocols
from labctl.facts.fact import ParseError
from labctl.facts.haproxy import HAPROXY_CONFIG
from labctl.model.lab import Lab, Mesh
from labctl.tour.exercise import Task
from labctl.tour.stop import Call, Guide, kubectl, shell
from labctl.tour.stops.cluster import session_lines
from labctl.tour.stops.known import blocks, pods, server_addresses

CONFIG = "/etc/bird/bird.conf"
_KEPT, _TRIED = f"{CONFIG}.before-exercise", f"{CONFIG}.exercise"
_START = """\
log syslog all;
router id {address};

protocol device {{
}}

# What BIRD learns over BGP goes into the kernel's routing table.
protocol kernel {{
  ipv4 {{
    import none;
    export where source = RTS_BGP;
  }};
}}

# Your part: a `protocol bgp` for each node.
"""
_CONFIGURED = re.compile(r"^\s*(protocol|template)\s+bgp\b", re.MULTILINE)


def clear_bird(guide: Guide) -> bool:
    """Put the lab's bird.conf aside, if there is one, until the tour ends; whether there was.

    After `labctl up --until` there may be none: then what the student writes stays.
    """
    ingress = guide.lab.ingress
    if not _CONFIGURED.search(_config(guide)):
        return False
    text = _START.format(address=ingress.address)
    back = f"cp -p {CONFIG} {_TRIED} && mv {_KEPT} {CONFIG} && systemctl restart bird"
    guide.must_undo("bird.conf", shell(ingress.name, f"test ! -e {_KEPT} || {{ {back}; }}"))
    write = f"cat > {CONFIG} <<'END'\n{text}END\n"
    guide.ask(shell(ingress.name, f"cp -p {CONFIG} {_KEPT} && {write}systemctl restart bird"))
    return True


def _config(guide: Guide) -> str:
    return guide.ask(shell(guide.lab.ingress.name, f"cat {CONFIG} 2>/dev/null || true"))


def configured(guide: Guide) -> bool:
    """BIRD reads it, each node is a neighbor, not everything is let in, and where ingress has to reflect, it does."""
    lab, text = guide.lab, re.sub(r"#.*", "", _config(guide))
    if not all(re.search(rf"\bneighbor\s+{re.escape(str(node.address))}\b", text) for node in lab.nodes):
        return False
    if re.search(r"\bimport\s+all\b", text) or not re.search(r"\bimport\s+(where|filter)\b", text):
        return False
    if lab.bgp.mesh is Mesh.REFLECTOR and not re.search(r"\brr\s+client\b", text):
        return False
    return _succeeds(guide, shell(lab.ingress.name, f"bird -p -c {CONFIG}"))


def _succeeds(guide: Guide, call: Call) -> bool:
    try:
        guide.ask(call)
    except LabctlError:
        return False
    return True


def _filter_line(lab: Lab) -> str:
    network = lab.network
    return f"import where net ~ [ {network.pod_cidr}{{{network.block_size},{network.block_size}}} ];"


def what_to_write(lab: Lab) -> str:
    """The task in words, with the lab's own addresses and numbers."""
    nodes = ", ".join(f"{node.name} {node.address}" for node in lab.nodes)
    text = (
        f"Edit {CONFIG} on ingress: one `protocol bgp` for each node ({nodes}). The nodes are AS "
        f"{lab.network.as_number}, ingress is AS {lab.network.ingress_as_number}. Let in the blocks of the pod network "
        f"{lab.network.pod_cidr} and nothing else."
    )
    if lab.bgp.mesh is Mesh.REFLECTOR:
        text += " There is no mesh: make each node an `rr client` and tell it what the others told you."
    if lab.bgp.password:
        text += " Each session has a `password`; here on the host it is in .labctl/secrets/bgp-password."
    return text


def one_protocol(lab: Lab) -> str:
    """One of the sessions that the task asks for, written out."""
    node = lab.workers[0] if lab.workers else lab.controlplane
    reflects = lab.bgp.mesh is Mesh.REFLECTOR
    lines = [
        f"local {lab.ingress.address} as {lab.network.ingress_as_number};",
        f"neighbor {node.address} as {lab.network.as_number};",
        "direct;",
        *(["rr client;"] if reflects else []),
        *(['password "...";'] if lab.bgp.password else []),
        "ipv4 {",
        f"  {_filter_line(lab)}",
        f"  export {'where source = RTS_BGP' if reflects else 'none'};",
        "};",
    ]
    return "\n".join([f"protocol bgp {node.name} {{", *(f"  {line}" for line in lines), "}"])


APP_FILE = ".labctl/machines/controlplane/files/app.yaml"
_KINDS = ("deployment", "service", "ingress")


def _nodes(guide: Guide, output: str) -> bool:
    ready = {line.split()[0] for line in output.splitlines() if line.split()[1:2] == ["Ready"]}
    return {node.name for node in guide.lab.nodes} <= ready


def _refused(guide: Guide, output: str) -> bool:
    seen = session_lines(output, str(guide.lab.ingress.address))
    return bool(seen) and "Established" not in seen


def _blocks(guide: Guide, output: str) -> bool:
    known = blocks(guide)
    return all(known.get(worker.name, "none") in output for worker in guide.lab.workers)


def _sessions_up(guide: Guide) -> bool:
    """Asked by address: the student may call a session as they like."""
    text = _answer(guide, shell(guide.lab.ingress.name, "birdc show protocols all"))
    return {node.address for node in guide.lab.nodes} <= _established(text)


def _starts_again(guide: Guide) -> bool:
    """The sessions stand, and BIRD starts with the machine."""
    enabled = _answer(guide, shell(guide.lab.ingress.name, "systemctl is-enabled bird")).strip() == "enabled"
    return enabled and _sessions_up(guide)


def _established(text: str) -> set[IPv4Address]:
    try:
        sessions = [item.session for item in parse_protocols(text) if item.session is not None]
    except ParseError:
        return set()
    return {item.neighbor for item in sessions if item.neighbor and item.state == "Established"}


def _shows_sessions(guide: Guide, output: str) -> bool:
    lines = [line for line in output.splitlines() if re.search(r"\bBGP\b.*\bEstablished\b", line)]
    return len(lines) >= len(guide.lab.nodes)


def _shows_routes(guide: Guide, output: str) -> bool:
    known = blocks(guide)
    return all(known.get(node.name, "none") in output and f"via {node.address}" in output for node in guide.lab.workers)


def _shows_kernel(guide: Guide, output: str) -> bool:
    known = blocks(guide)
    return all(f"{known.get(worker.name)} via {worker.address}" in output for worker in guide.lab.workers)


def _shows_established(guide: Guide, output: str) -> bool:
    return session_lines(output, str(guide.lab.ingress.address)) == "Established"


def _shows_pods(guide: Guide, output: str) -> bool:
    running = pods(guide)
    return bool(running) and all(pod.address in output and pod.node in output for pod in running)


def _shows_request(guide: Guide, output: str) -> bool:
    return any(f"Request served by {pod.name}" in output for pod in pods(guide))


def _scaled(guide: Guide) -> bool:
    """As many servers as pods, and more pods than labctl.yaml says."""
    running = len(pods(guide))
    text = _answer(guide, shell(guide.lab.ingress.name, f"grep -w enabled {HAPROXY_CONFIG}"))
    return running > guide.lab.app.replicas and len(server_addresses(text)) == running


def _answer(guide: Guide, call: Call) -> str:
    try:
        return guide.ask(call)
    except LabctlError:
        return ""


def _why_refused(lab: Lab) -> str:
    mesh = "the nodes have sessions with each other (the mesh), but the one"
    if lab.bgp.mesh is Mesh.REFLECTOR:
        mesh = "there is no mesh, so the nodes hear nothing of one another either: the session"
    return (
        f"Calico on every node wants to tell ingress which pods it has. BIRD on ingress is not configured yet: {mesh} "
        "with ingress is refused. Without it ingress has no route to any pod."
    )


TASKS: tuple[Task, ...] = (
    Task(
        "nodes",
        lambda _lab: "Show the nodes of the cluster.",
        ("kubectl runs on the control plane: `labctl kubectl …` runs it there.", "kubectl's word is `get`."),
        lambda _lab: "labctl kubectl get nodes",
        shown=_nodes,
    ),
    Task(
        "refused",
        lambda lab: f"Show what a node says of its BGP peers; find {lab.ingress.address}, which is ingress.",
        ("Calico's own tool tells: `labctl calicoctl …`.", "It is the status of the node."),
        lambda _lab: "labctl calicoctl node status",
        shown=_refused,
        why=_why_refused,
    ),
    Task(
        "blocks",
        lambda _lab: "Find out which block of the pod network each node has.",
        (
            "Calico keeps them as objects of the cluster, so kubectl shows them.",
            "The objects are called blockaffinities; `describe` shows all of one.",
        ),
        lambda _lab: "labctl kubectl describe blockaffinities",
        shown=_blocks,
    ),
    Task(
        "filter",
        what_to_write,
        (
            "`labctl ssh ingress` opens a shell; `vi` is there, and `bird -p` says whether BIRD can read the file.",
            "In a protocol: `local ADDRESS as AS; neighbor ADDRESS as AS; ipv4 { import where …; export …; };`",
            "`import all` lets a node send ingress anything, a default route too. A filter names the pod network.",
        ),
        one_protocol,
        holds=configured,
    ),
    Task(
        "restart",
        lambda _lab: (
            "Make BIRD read the file, now and after the next boot, and wait until all sessions are Established."
        ),
        (
            "BIRD is a service of systemd on ingress: `enable` is for the next boot, `restart` for now.",
            "If a session does not come up: do the addresses and AS numbers fit? `labctl verify` tells.",
        ),
        lambda lab: f"labctl ssh {lab.ingress.name} -- 'systemctl enable bird && systemctl restart bird'",
        holds=_starts_again,
    ),
    Task(
        "sessions",
        lambda _lab: "Show the sessions as BIRD sees them.",
        ("birdc asks BIRD: `labctl birdc ingress …`.", "Each session is a protocol."),
        lambda lab: f"labctl birdc {lab.ingress.name} show protocols",
        shown=_shows_sessions,
    ),
    Task(
        "bird-routes",
        lambda _lab: "Show the routes that BIRD has learned.",
        ("birdc again: this time not the protocols.",),
        lambda lab: f"labctl birdc {lab.ingress.name} show route",
        shown=_shows_routes,
    ),
    Task(
        "kernel",
        lambda _lab: "Show that the kernel of ingress has these routes, too.",
        ("`labctl ssh ingress -- COMMAND` runs a command there.", "The command begins with `ip`."),
        lambda lab: f"labctl ssh {lab.ingress.name} -- ip route",
        shown=_shows_kernel,
    ),
    Task(
        "established",
        lambda _lab: "Look from the other end once more: what does the node say of ingress now?",
        ("The same command as before BIRD was configured.",),
        lambda _lab: "labctl calicoctl node status",
        shown=_shows_established,
    ),
    Task(
        "application",
        lambda _lab: (
            f"Deploy the application and its Ingress: the objects are in {APP_FILE}, here on the host. "
            "Where they are there already, nothing changes."
        ),
        (
            "kubectl's word is `apply`, with `-f FILE`; labctl sends the file along.",
            "Read the file first: it has a Deployment, a Service and an Ingress.",
        ),
        lambda _lab: f"labctl kubectl apply -f {APP_FILE}",
        shown=lambda _guide, output: all(re.search(rf"^{kind}.*/\S+ \w+$", output, re.MULTILINE) for kind in _KINDS),
    ),
    Task(
        "pods",
        lambda _lab: "Show the application's pods, their addresses and their nodes.",
        ("kubectl shows more columns with an option.", "The option is `-o wide`."),
        lambda _lab: "labctl kubectl get pods -o wide",
        shown=_shows_pods,
    ),
    Task(
        "request",
        lambda lab: f"Ask ingress for http://{lab.app.host}/ and see which pod answers.",
        (
            "curl asks; ingress decides by the header `Host`, which curl sets with -H.",
            "The address is that of ingress; the name goes into the header.",
        ),
        lambda lab: f"curl -H 'Host: {lab.app.host}' http://{lab.ingress.address}/",
        shown=_shows_request,
    ),
    Task(
        "scale-up",
        lambda lab: f"Run more than {lab.app.replicas} pods, and see haproxy.cfg follow.",
        ("The deployment is called `app`.", "kubectl's word is `scale`, with `--replicas=N`."),
        lambda lab: f"labctl kubectl scale deployment app --replicas={lab.app.replicas + 3}",
        holds=_scaled,
    ),
)


def put_scale_back(guide: Guide) -> None:
    """At the end there are as many pods as labctl.yaml says; where there is no application yet, that is all right."""
    back = kubectl(f"scale deployment app --replicas={guide.lab.app.replicas}")
    there = kubectl("get deployment app --ignore-not-found --output name")
    line = f'test -z "$({there.command})" || {back.command}'
    guide.must_undo("replicas", replace(back, command=line))
