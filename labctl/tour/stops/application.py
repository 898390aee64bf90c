"""Stops about the application: its objects, where its pods run, and the way to one of them."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from labctl.tour.stop import Guide, Stop, kubectl, shell
from labctl.tour.stops.known import blocks, listed, pods, whole


def _application(guide: Guide) -> None:
    host = guide.lab.app.host
    text = guide.run(kubectl("get deployments,services,ingresses"), r"deployment\S*/app\s+\d+/\d+", whole(host))
    ready = re.search(r"deployment\S*/app\s+(\d+)/(\d+)", text)
    seen = f"{ready[1]} of {ready[2]}" if ready else "no such deployment"
    guide.claim("all pods of the application are ready", ready is not None and ready[1] == ready[2] != "0", seen)
    guide.claim(f"an Ingress asks for {host}", host in text)


def _pods(guide: Guide) -> None:
    known = blocks(guide)
    running = pods(guide)
    guide.run(kubectl("get pods -o wide"), *(whole(pod.address) for pod in running), r"(?<!\S)worker\d+(?!\S)")
    wrong = [pod.name for pod in running if not _within(pod.address, known.get(pod.node, ""))]
    guide.claim("there are pods", bool(running), f"{len(running)} ready")
    guide.claim(
        "each pod's address is from the block of its node", not wrong, f"not so: {listed(wrong)}" if wrong else ""
    )


def _within(address: str, block: str) -> bool:
    return bool(block) and ip_address(address) in ip_network(block)


def _traceroute(guide: Guide) -> None:
    pod = pods(guide)[0]
    lab = guide.lab
    node = lab.machine(pod.node)
    way = [*([lab.router] if lab.router else []), node]
    wanted = [*(str(machine.address) for machine in way), pod.address]
    call = shell(lab.ingress.name, f"traceroute -n -w 2 -m 6 {pod.address}")
    marks = [rf"^ *{number}  {whole(address)}" for number, address in enumerate(wanted, start=1)]
    text = guide.run(call, *marks, deadline=40.0)
    hops = re.findall(r"^ *\d+  (\S+)", text, re.MULTILINE)
    count = {2: "two", 3: "three"}[len(wanted)]
    names = ", ".join(machine.name for machine in way)
    guide.claim(f"{count} hops: {names}, then the pod itself", hops == wanted, listed(hops))


def _play_traceroute(guide: Guide) -> None:
    if pods(guide):
        _traceroute(guide)
    else:
        guide.claim("there is a pod to go to", False, "no ready pod of the application")


STOPS = (
    Stop(
        "application",
        "The application and its Ingress",
        "A deployment, a service and an Ingress, as in the article. The Ingress says: requests for this host name "
        "belong to that service. The controller on ingress reads it from the API server over the network.",
        _application,
    ),
    Stop(
        "pods",
        "The pods and where they run",
        "The scheduler chose a worker for each pod; the worker's block gave it its address. Compare the IP column with "
        "the blocks that we saw before.",
        _pods,
    ),
    Stop(
        "traceroute",
        "From ingress to a pod",
        "The packet's way in one picture: from ingress to the node that has the pod, and from there to the pod. No "
        "NodePort, no other load balancer, no tunnel.",
        _play_traceroute,
    ),
)
