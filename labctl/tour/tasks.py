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
from labctl.tour.runner import Command, TourRunner, kubectl, shell
from labctl.tour.stops.cluster import blocks_by_node, ready_pods, server_addresses, session_state

CONFIG = "/etc/bird/bird.conf"
_ORIGINAL, _STUDENTS = f"{CONFIG}.before-exercise", f"{CONFIG}.exercise"
_START = """\
log syslog all;
router id {address};

protocol device {{
}}

# Routes that BIRD learns over BGP go into the kernel's routing table.
protocol kernel {{
  ipv4 {{
    import none;
    export where source = RTS_BGP;
  }};
}}

# Your part: a `protocol bgp` for each node.
"""
_CONFIGURED = re.compile(r"^\s*(protocol|template)\s+bgp\b", re.MULTILINE)


def reset_bird_conf(runner: TourRunner) -> bool:
    """Replace the lab's bird.conf with one without sessions until the exercise ends; False if it has none anyway.

    It may have none after `labctl up --until`; then what the student writes stays.
    """
    ingress = runner.lab.ingress
    if not _CONFIGURED.search(_config(runner)):
        return False
    text = _START.format(address=ingress.address)
    restore_bird_conf(runner)
    write = f"cat > {CONFIG} <<'END'\n{text}END\n"
    runner.ask(shell(ingress.name, f"cp -p {CONFIG} {_ORIGINAL} && {write}systemctl restart bird"))
    return True


def restore_bird_conf(runner: TourRunner) -> None:
    """At the end, put the lab's own bird.conf back, if it was replaced."""
    restore = f"cp -p {CONFIG} {_STUDENTS} && mv {_ORIGINAL} {CONFIG} && systemctl restart bird"
    runner.undo_later("bird.conf", shell(runner.lab.ingress.name, f"test ! -e {_ORIGINAL} || {{ {restore}; }}"))


def _config(runner: TourRunner) -> str:
    return runner.ask(shell(runner.lab.ingress.name, f"cat {CONFIG} 2>/dev/null || true"))


def bird_configured(runner: TourRunner) -> bool:
    """Whether bird.conf is valid, has every node as neighbor and an import filter, and reflects routes if it has to."""
    lab, text = runner.lab, re.sub(r"#.*", "", _config(runner))
    if not all(re.search(rf"\bneighbor\s+{re.escape(str(node.address))}\b", text) for node in lab.nodes):
        return False
    if re.search(r"\bimport\s+all\b", text) or not re.search(r"\bimport\s+(where|filter)\b", text):
        return False
    if lab.bgp.mesh is Mesh.REFLECTOR and not re.search(r"\brr\s+client\b", text):
        return False
    return _succeeds(runner, shell(lab.ingress.name, f"bird -p -c {CONFIG}"))


def _succeeds(runner: TourRunner, call: Command) -> bool:
    try:
        runner.ask(call)
    except LabctlError:
        return False
    return True


def _filter_line(lab: Lab) -> str:
    network = lab.network
    return f"import where net ~ [ {network.pod_cidr}{{{network.block_size},{network.block_size}}} ];"


def bird_instruction(lab: Lab) -> str:
    """What to write into bird.conf, with the lab's addresses and AS numbers."""
    nodes = ", ".join(f"{node.name} {node.address}" for node in lab.nodes)
    text = (
        f"Edit {CONFIG} on ingress: one `protocol bgp` for each node ({nodes}). The nodes are AS "
        f"{lab.network.as_number}, ingress is AS {lab.network.ingress_as_number}. Accept the blocks of the pod network "
        f"{lab.network.pod_cidr} and nothing else."
    )
    if lab.bgp.mesh is Mesh.REFLECTOR:
        text += " There is no mesh: make each node an `rr client`, and announce to it what the others announced."
    if lab.bgp.password:
        text += " Each session has a `password`: it is in .labctl/secrets/bgp-password, here on the host."
    return text


def bird_solution(lab: Lab) -> str:
    """One of the sessions for bird.conf."""
    node = lab.workers[0] if lab.workers else lab.controlplane
    reflector = lab.bgp.mesh is Mesh.REFLECTOR
    lines = [
        f"local {lab.ingress.address} as {lab.network.ingress_as_number};",
        f"neighbor {node.address} as {lab.network.as_number};",
        "direct;",
        *(["rr client;"] if reflector else []),
        *(['password "...";'] if lab.bgp.password else []),
        "ipv4 {",
        f"  {_filter_line(lab)}",
        f"  export {'where source = RTS_BGP' if reflector else 'none'};",
        "};",
    ]
    return "\n".join([f"protocol bgp {node.name} {{", *(f"  {line}" for line in lines), "}"])


APP_FILE = ".labctl/machines/controlplane/files/app.yaml"
_KINDS = ("deployment", "service", "ingress")


def _shows_nodes(runner: TourRunner, output: str) -> bool:
    ready = {line.split()[0] for line in output.splitlines() if line.split()[1:2] == ["Ready"]}
    return {node.name for node in runner.lab.nodes} <= ready


def _shows_refused(runner: TourRunner, output: str) -> bool:
    state = session_state(output, str(runner.lab.ingress.address))
    return bool(state) and "Established" not in state


def _shows_blocks(runner: TourRunner, output: str) -> bool:
    block = blocks_by_node(runner)
    return all(block.get(worker.name, "none") in output for worker in runner.lab.workers)


def _sessions_up(runner: TourRunner) -> bool:
    """Compares addresses, as the student may choose the names of the sessions."""
    text = _answer(runner, shell(runner.lab.ingress.name, "birdc show protocols all"))
    return {node.address for node in runner.lab.nodes} <= _established(text)


def _bird_enabled(runner: TourRunner) -> bool:
    """Whether all sessions are up, and BIRD starts when the machine boots."""
    enabled = _answer(runner, shell(runner.lab.ingress.name, "systemctl is-enabled bird")).strip() == "enabled"
    return enabled and _sessions_up(runner)


def _established(text: str) -> set[IPv4Address]:
    try:
        sessions = [item.session for item in parse_protocols(text) if item.session is not None]
    except ParseError:
        return set()
    return {item.neighbor for item in sessions if item.neighbor and item.state == "Established"}


def _shows_sessions(runner: TourRunner, output: str) -> bool:
    lines = [line for line in output.splitlines() if re.search(r"\bBGP\b.*\bEstablished\b", line)]
    return len(lines) >= len(runner.lab.nodes)


def _shows_routes(runner: TourRunner, output: str) -> bool:
    block = blocks_by_node(runner)
    return all(
        block.get(node.name, "none") in output and f"via {node.address}" in output for node in runner.lab.workers
    )


def _shows_kernel(runner: TourRunner, output: str) -> bool:
    block = blocks_by_node(runner)
    return all(f"{block.get(worker.name)} via {worker.address}" in output for worker in runner.lab.workers)


def _shows_established(runner: TourRunner, output: str) -> bool:
    return session_state(output, str(runner.lab.ingress.address)) == "Established"


def _shows_pods(runner: TourRunner, output: str) -> bool:
    running = ready_pods(runner)
    return bool(running) and all(pod.address in output and pod.node in output for pod in running)


def _shows_request(runner: TourRunner, output: str) -> bool:
    return any(f"Request served by {pod.name}" in output for pod in ready_pods(runner))


def _scaled(runner: TourRunner) -> bool:
    """Whether there are more pods than labctl.yaml says, and a server for each."""
    running = len(ready_pods(runner))
    text = _answer(runner, shell(runner.lab.ingress.name, f"grep -w enabled {HAPROXY_CONFIG}"))
    return running > runner.lab.app.replicas and len(server_addresses(text)) == running


def _answer(runner: TourRunner, call: Command) -> str:
    try:
        return runner.ask(call)
    except LabctlError:
        return ""


def _why_refused(lab: Lab) -> str:
    nodes = "The nodes have sessions with each other (the mesh), but ingress refuses the connection."
    if lab.bgp.mesh is Mesh.REFLECTOR:
        nodes = "There is no mesh, so the nodes hear nothing of each other either. ingress refuses the connection."
    return (
        f"Calico on every node wants to tell ingress which pods it has. BIRD on ingress is not configured yet. {nodes} "
        "Without a session, ingress has no route to any pod."
    )


TASKS: tuple[Task, ...] = (
    Task(
        "nodes",
        lambda _lab: "Show the nodes of the cluster.",
        ("kubectl runs on the control plane: `labctl kubectl …` runs it there.", "The kubectl command is `get`."),
        lambda _lab: "labctl kubectl get nodes",
        done_by_output=_shows_nodes,
    ),
    Task(
        "refused",
        lambda lab: f"Show the BGP peers of a node, and find {lab.ingress.address}, which is ingress.",
        ("Calico's own tool shows them: `labctl calicoctl …`.", "They are part of the status of the node."),
        lambda _lab: "labctl calicoctl node status",
        done_by_output=_shows_refused,
        why=_why_refused,
    ),
    Task(
        "blocks",
        lambda _lab: "Find out which block of the pod network each node has.",
        (
            "Calico stores them as objects in the cluster, so kubectl can show them.",
            "They are called blockaffinities; `describe` shows their details.",
        ),
        lambda _lab: "labctl kubectl describe blockaffinities",
        done_by_output=_shows_blocks,
    ),
    Task(
        "filter",
        bird_instruction,
        (
            "`labctl ssh ingress` opens a shell, which has `vi`; `bird -p` checks the file.",
            "In a protocol: `local ADDRESS as AS; neighbor ADDRESS as AS; ipv4 { import where …; export …; };`",
            "With `import all`, a node could send ingress anything, even a default route. Filter by the pod network.",
        ),
        bird_solution,
        done_by_state=bird_configured,
    ),
    Task(
        "restart",
        lambda _lab: (
            "Make BIRD use the file, now and after the next boot, and wait until all sessions are Established."
        ),
        (
            "BIRD is a systemd service on ingress: `restart` is for now, `enable` for the next boot.",
            "If a session does not come up, check its addresses and AS numbers; `labctl verify` helps.",
        ),
        lambda lab: f"labctl ssh {lab.ingress.name} -- 'systemctl enable bird && systemctl restart bird'",
        done_by_state=_bird_enabled,
    ),
    Task(
        "sessions",
        lambda _lab: "Show the sessions as BIRD sees them.",
        ("birdc talks to BIRD: `labctl birdc ingress …`.", "Each session is a protocol."),
        lambda lab: f"labctl birdc {lab.ingress.name} show protocols",
        done_by_output=_shows_sessions,
    ),
    Task(
        "bird-routes",
        lambda _lab: "Show the routes that BIRD has learned.",
        ("Use birdc again, but do not show protocols.",),
        lambda lab: f"labctl birdc {lab.ingress.name} show route",
        done_by_output=_shows_routes,
    ),
    Task(
        "kernel",
        lambda _lab: "Show that the kernel of ingress has these routes too.",
        ("`labctl ssh ingress -- COMMAND` runs a command on ingress.", "The command starts with `ip`."),
        lambda lab: f"labctl ssh {lab.ingress.name} -- ip route",
        done_by_output=_shows_kernel,
    ),
    Task(
        "established",
        lambda _lab: "Look from the other end again: what does the node say about ingress now?",
        ("Use the same command as before BIRD was configured.",),
        lambda _lab: "labctl calicoctl node status",
        done_by_output=_shows_established,
    ),
    Task(
        "application",
        lambda _lab: (
            f"Deploy the application and its Ingress: the objects are in {APP_FILE}, here on the host. "
            "If they exist already, nothing changes."
        ),
        (
            "The kubectl command is `apply -f FILE`; labctl copies the file to the control plane.",
            "Read the file first: it contains a Deployment, a Service and an Ingress.",
        ),
        lambda _lab: f"labctl kubectl apply -f {APP_FILE}",
        done_by_output=lambda _guide, output: all(
            re.search(rf"^{kind}.*/\S+ \w+$", output, re.MULTILINE) for kind in _KINDS
        ),
    ),
    Task(
        "pods",
        lambda _lab: "Show the application's pods, their addresses and their nodes.",
        ("kubectl has an option for more columns.", "The option is `-o wide`."),
        lambda _lab: "labctl kubectl get pods -o wide",
        done_by_output=_shows_pods,
    ),
    Task(
        "request",
        lambda lab: f"Request http://{lab.app.host}/ from ingress, and see which pod answers.",
        (
            "Use curl. HAProxy chooses the application by the header `Host`; curl sets it with -H.",
            "The URL has the address of ingress; the header has the name.",
        ),
        lambda lab: f"curl -H 'Host: {lab.app.host}' http://{lab.ingress.address}/",
        done_by_output=_shows_request,
    ),
    Task(
        "scale-up",
        lambda lab: f"Run more than {lab.app.replicas} pods, and wait until haproxy.cfg has a server for each.",
        ("The Deployment is called `app`.", "The kubectl command is `scale --replicas=N`."),
        lambda lab: f"labctl kubectl scale deployment app --replicas={lab.app.replicas + 3}",
        done_by_state=_scaled,
    ),
)


def restore_scale(runner: TourRunner) -> None:
    """At the end, scale the application to what labctl.yaml says, if there is an application."""
    scale = kubectl(f"scale deployment app --replicas={runner.lab.app.replicas}")
    exists = kubectl("get deployment app --ignore-not-found --output name")
    line = f'test -z "$({exists.line})" || {scale.line}'
    runner.undo_later("replicas", replace(scale, line=line))
