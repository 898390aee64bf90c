"""Stops about HAProxy: a request, the stats page, haproxy.cfg, and how it follows the number of pods."""

from __future__ import annotations

import re

from labctl.facts.haproxy import HAPROXY_CONFIG, HAPROXY_SOCKET
from labctl.tour.stop import Call, Guide, Stop, kubectl, on_host, shell
from labctl.tour.stops.known import listed, pods, server_addresses, whole

_FOLLOWS = 30.0
"""Seconds that the file may take to follow the cluster; it takes about one."""


def _request(guide: Guide) -> None:
    lab = guide.lab
    curl = f"curl -s --max-time 5 -H 'Host: {lab.app.host}' http://{lab.entry}/"
    names = {pod.name for pod in pods(guide)}
    text = guide.run(on_host(curl), r"^Request served by .*", r"^Host: .*")
    guide.claim("a pod of the application answers", any(name in text for name in names), text.partition("\n")[0])
    numbers = " ".join(str(number) for number in range(1, 2 * len(names) + 1))
    text = guide.run(on_host(f"for i in {numbers}; do {curl} | head -n 1; done"), *map(whole, sorted(names)))
    served = {name for name in names if name in text}
    guide.claim(
        "HAProxy deals the requests out over all pods", served == names, f"{len(served)} of {len(names)} pods answered"
    )


def _stats(guide: Guide) -> None:
    address = guide.lab.entry
    columns = "cut -d, -f 1,2,18,19"
    line = f"curl -s --max-time 5 'http://{address}:1024/;csv' | {columns} | grep -v MAINT"
    text = guide.run(on_host(line), r"^\S+,SRV_\d+,UP.*")
    up = len(re.findall(r",SRV_\d+,UP", text))
    wanted = len(pods(guide))
    guide.claim("HAProxy has a server that is UP for each pod", up == wanted, f"{up} UP, {wanted} pods")


def _config(guide: Guide) -> None:
    call = shell(guide.lab.ingress.name, f"cat {HAPROXY_CONFIG}")
    text = guide.run(call, r"^backend \S*app\S*", r"^\s+server \S+ \S+ enabled.*")
    _claim_servers(guide, text)


def _claim_servers(guide: Guide, text: str) -> None:
    servers = sorted(server_addresses(text))
    addresses = sorted(pod.address for pod in pods(guide))
    guide.claim("there is a server for each pod, and no other", servers == addresses, f"servers: {listed(servers)}")


def _servers_call(guide: Guide) -> Call:
    return shell(guide.lab.ingress.name, f"grep -w enabled {HAPROXY_CONFIG}")


def _replicas(guide: Guide) -> int:
    text = guide.ask(kubectl("get deployment app -o 'jsonpath={.spec.replicas}'")).strip()
    return int(text) if text.isdigit() else guide.lab.app.replicas


def _scale(number: int) -> Call:
    return kubectl(f"scale deployment app --replicas={number}")


def _follow(guide: Guide, number: int) -> None:
    guide.run(_scale(number), r"\bscaled\b")
    text = guide.run(
        _servers_call(guide),
        r"server \S+ \S+",
        until=lambda text: len(server_addresses(text)) == number,
        deadline=_FOLLOWS,
    )
    found = len(server_addresses(text))
    guide.claim(f"haproxy.cfg has {number} servers", found == number, f"{found} servers")


def _process(guide: Guide) -> str:
    """HAProxy's own process number, as its runtime API says it; a reload starts another process."""
    line = f"echo show info | socat - UNIX-CONNECT:{HAPROXY_SOCKET} | grep ^Pid:"
    return guide.ask(shell(guide.lab.ingress.name, line)).strip()


def _scale_up(guide: Guide) -> None:
    before, process = _replicas(guide), _process(guide)
    guide.must_undo("replicas", _scale(before))
    _follow(guide, before + 3)
    _claim_servers(guide, guide.ask(_servers_call(guide)))
    after = _process(guide)
    guide.claim("HAProxy was not reloaded for that: its process is the same", process == after, after)


def _scale_down(guide: Guide) -> None:
    back = guide.must_undo("replicas", _scale(_replicas(guide)))
    _follow(guide, 2)
    _follow(guide, int(back.command.rpartition("=")[2]))
    guide.undone("replicas")


STOPS = (
    Stop(
        "request",
        "A request through ingress",
        "The client asks ingress by the application's name. HAProxy looks up the name, picks a pod and connects to the "
        "pod's own address. We give the name in a header, so nothing has to be written to /etc/hosts; for a browser, "
        "`labctl hosts --apply` adds the line.",
        _request,
    ),
    Stop(
        "stats",
        "HAProxy's statistics",
        "HAProxy's own page on port 1024 shows each server, its checks and its requests: open it in a browser. Here we "
        "read a few of its columns as CSV and leave out the spare slots that wait for later pods.",
        _stats,
    ),
    Stop(
        "haproxy-cfg",
        "haproxy.cfg: a server for each pod",
        "The controller wrote this file. To it a Service is only the list of its pods: each pod is a server with its "
        "own address, so HAProxy itself balances, checks and retries.",
        _config,
    ),
    Stop(
        "scale-up",
        "More pods: the file follows",
        "We ask for three more pods. The controller sees the new addresses at the API server and fills spare slots, "
        "through HAProxy's runtime API, without a reload.",
        _scale_up,
    ),
    Stop(
        "scale-down",
        "Fewer pods, and back",
        "Down to two: the servers of the pods that went become spare slots again. Then back to where we started.",
        _scale_down,
    ),
)
