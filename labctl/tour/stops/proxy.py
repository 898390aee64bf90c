"""Stops about the application: its pods, requests to them, HAProxy, and how haproxy.cfg follows the number of pods."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from labctl.facts.haproxy import HAPROXY_CONFIG, HAPROXY_SOCKET
from labctl.tour.runner import Command, Stop, TourRunner, kubectl, on_host, shell
from labctl.tour.stops.cluster import blocks_by_node, comma_list, exactly, ready_pods, server_addresses


def _application(runner: TourRunner) -> None:
    host = runner.lab.app.host
    text = runner.run(kubectl("get deployments,services,ingresses"), r"deployment\S*/app\s+\d+/\d+", exactly(host))
    ready = re.search(r"deployment\S*/app\s+(\d+)/(\d+)", text)
    seen = f"{ready[1]} of {ready[2]}" if ready else "no such deployment"
    runner.claim("all pods of the application are ready", ready is not None and ready[1] == ready[2] != "0", seen)
    runner.claim(f"an Ingress has a rule for {host}", host in text)


def _pods(runner: TourRunner) -> None:
    known = blocks_by_node(runner)
    running = ready_pods(runner)
    runner.run(kubectl("get pods -o wide"), *(exactly(pod.address) for pod in running), r"(?<!\S)worker\d+(?!\S)")
    wrong = [pod.name for pod in running if not _within(pod.address, known.get(pod.node, ""))]
    runner.claim("there are pods", bool(running), f"{len(running)} ready")
    runner.claim(
        "each pod's address is from the block of its node", not wrong, f"wrong: {comma_list(wrong)}" if wrong else ""
    )


def _within(address: str, block: str) -> bool:
    return bool(block) and ip_address(address) in ip_network(block)


def _traceroute(runner: TourRunner) -> None:
    running = ready_pods(runner)
    if not running:
        runner.claim("there is a pod to trace", False, "the application has no ready pod")
        return
    pod, lab = running[0], runner.lab
    machines = [*([lab.router] if lab.router else []), lab.machine(pod.node)]
    wanted = [*(str(machine.address) for machine in machines), pod.address]
    marks = [rf"^ *{number}  {exactly(address)}" for number, address in enumerate(wanted, start=1)]
    output = runner.run(shell(lab.ingress.name, f"traceroute -n -w 2 -m 6 {pod.address}"), *marks, deadline=40.0)
    hops = re.findall(r"^ *\d+  (\S+)", output, re.MULTILINE)
    count = {2: "two", 3: "three"}[len(wanted)]
    names = ", ".join(machine.name for machine in machines)
    runner.claim(f"{count} hops: {names}, then the pod itself", hops == wanted, comma_list(hops))


_FOLLOW_SECONDS = 30.0
"""How long haproxy.cfg may take to follow the cluster; the controller writes it after 1 to 5 seconds."""


def _request(runner: TourRunner) -> None:
    lab = runner.lab
    curl = f"curl -s --max-time 5 -H 'Host: {lab.app.host}' http://{lab.entry}/"
    names = {pod.name for pod in ready_pods(runner)}
    text = runner.run(on_host(curl), r"^Request served by .*", r"^Host: .*")
    runner.claim("a pod of the application answers", any(name in text for name in names), text.partition("\n")[0])
    numbers = " ".join(str(number) for number in range(1, 2 * len(names) + 1))
    text = runner.run(on_host(f"for i in {numbers}; do {curl} | head -n 1; done"), *map(exactly, sorted(names)))
    served = {name for name in names if name in text}
    runner.claim(
        "HAProxy spreads the requests over all pods", served == names, f"{len(served)} of {len(names)} pods answered"
    )


_SERVER_UP = r"^(?!_svc_)\S+,SRV_\d+,UP.*"
"""A server of a Service's backend NAMESPACE_svc_NAME_PORT; the controller's own backend has no namespace."""


def _stats(runner: TourRunner) -> None:
    address = runner.lab.entry
    columns = "cut -d, -f 1,2,18,19"
    line = f"curl -s --max-time 5 'http://{address}:1024/;csv' | {columns} | grep -v MAINT"
    text = runner.run(on_host(line), _SERVER_UP)
    up = len(re.findall(_SERVER_UP, text, re.MULTILINE))
    wanted = len(ready_pods(runner))
    runner.claim("HAProxy has a server that is UP for each pod", up == wanted, f"{up} UP, {wanted} pods")


def _config(runner: TourRunner) -> None:
    call = shell(runner.lab.ingress.name, f"cat {HAPROXY_CONFIG}")
    text = runner.run(call, r"^backend \S*app\S*", r"^\s+server \S+ \S+ enabled.*")
    _claim_servers(runner, text)


def _claim_servers(runner: TourRunner, text: str) -> None:
    servers = sorted(server_addresses(text))
    addresses = sorted(pod.address for pod in ready_pods(runner))
    runner.claim(
        "there is a server for each pod, and no other", servers == addresses, f"servers: {comma_list(servers)}"
    )


def _servers_call(runner: TourRunner) -> Command:
    return shell(runner.lab.ingress.name, f"grep -w enabled {HAPROXY_CONFIG}")


def _replicas(runner: TourRunner) -> int:
    text = runner.ask(kubectl("get deployment app -o 'jsonpath={.spec.replicas}'")).strip()
    return int(text) if text.isdigit() else runner.lab.app.replicas


def _scale(number: int) -> Command:
    return kubectl(f"scale deployment app --replicas={number}")


def _follow(runner: TourRunner, number: int) -> None:
    runner.run(_scale(number), r"\bscaled\b")
    text = runner.run(
        _servers_call(runner),
        r"server \S+ \S+",
        until=lambda text: len(server_addresses(text)) == number,
        deadline=_FOLLOW_SECONDS,
    )
    found = len(server_addresses(text))
    runner.claim(f"haproxy.cfg has servers for {number} pods", found == number, f"{found} servers")


def _process(runner: TourRunner) -> str:
    """HAProxy's process ID, from its runtime API; a reload starts another process."""
    line = f"echo show info | socat - UNIX-CONNECT:{HAPROXY_SOCKET} | grep ^Pid:"
    return runner.ask(shell(runner.lab.ingress.name, line)).strip()


def _scale_up(runner: TourRunner) -> None:
    before, process = _replicas(runner), _process(runner)
    runner.undo_later("replicas", _scale(before))
    _follow(runner, before + 3)
    _claim_servers(runner, runner.ask(_servers_call(runner)))
    after = _process(runner)
    runner.claim("HAProxy was not reloaded: its process is the same", process == after, after)


def _scale_down(runner: TourRunner) -> None:
    back = runner.undo_later("replicas", _scale(_replicas(runner)))
    _follow(runner, 2)
    _follow(runner, int(back.line.rpartition("=")[2]))
    runner.undone("replicas")


STOPS = (
    Stop(
        "application",
        "The application and its Ingress",
        "A Deployment, a Service and an Ingress, as in the article. The Ingress sends requests for this host name to "
        "that Service. The controller on ingress reads these objects from the API server over the network.",
        _application,
    ),
    Stop(
        "pods",
        "The pods and where they run",
        "The scheduler chose a worker for each pod, and the pod got an address from that worker's block. Compare the "
        "IP column with the blocks that we saw before.",
        _pods,
    ),
    Stop(
        "traceroute",
        "From ingress to a pod",
        "The path of a packet: from ingress to the node that runs the pod, and from there to the pod. No NodePort, no "
        "other load balancer, no tunnel.",
        _traceroute,
    ),
    Stop(
        "request",
        "A request through ingress",
        "The client sends a request for the application's name to ingress. HAProxy looks up the name, picks a pod and "
        "connects to the pod's own address. We pass the name in a header, so that /etc/hosts needs no entry; for a "
        "browser, `labctl hosts --apply` adds one.",
        _request,
    ),
    Stop(
        "stats",
        "HAProxy's statistics",
        "HAProxy's statistics page on port 1024 shows each server, its health checks and its requests: open it in a "
        "browser. Here we read a few of its columns as CSV and leave out the spare slots for later pods.",
        _stats,
    ),
    Stop(
        "haproxy-cfg",
        "haproxy.cfg: a server for each pod",
        "The controller wrote this file. It uses the Service only to find the pods: each pod is a server with its own "
        "address, so HAProxy itself does load balancing, health checks and retries.",
        _config,
    ),
    Stop(
        "scale-up",
        "More pods: haproxy.cfg follows",
        "We ask for three more pods. The controller learns the new addresses from the API server and fills spare "
        "slots through HAProxy's runtime API, without a reload.",
        _scale_up,
    ),
    Stop(
        "scale-down",
        "Fewer pods, and back",
        "Down to two: the servers of the pods that are gone become spare slots again. Then back to the original "
        "number.",
        _scale_down,
    ),
)
