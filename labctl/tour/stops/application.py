"""Stops about the application: its objects, where its pods run, and the path to one of them."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from labctl.tour.commands import kubectl, shell
from labctl.tour.runner import Stop, TourRunner
from labctl.tour.stops.cluster_state import blocks_by_node, comma_list, exactly, ready_pods


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
)
