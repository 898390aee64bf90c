"""What the stops compare with: blocks, pods and servers. The commands for that are not shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.tour.commands import kubectl
from labctl.tour.runner import TourRunner

_SERVER = re.compile(r"^\s*server \S+ (?!127\.)(\d+\.\d+\.\d+\.\d+):\d+ enabled", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunningPod:
    """A ready pod of the application."""

    name: str
    node: str
    address: str


def blocks_by_node(runner: TourRunner) -> dict[str, str]:
    """Each node's first block of the pod network, by node name."""
    found: dict[str, str] = {}
    for item in runner.ask_items(kubectl("get blockaffinities -o json")):
        spec = item.get("spec", {})
        if str(spec.get("state")) == "confirmed":
            found.setdefault(str(spec.get("node")), str(spec.get("cidr")))
    return found


def ready_pods(runner: TourRunner) -> tuple[RunningPod, ...]:
    """The application's ready pods, except those that are being deleted."""
    found = []
    for item in runner.ask_items(kubectl("get pods -l run=app -o json")):
        meta, status = item.get("metadata", {}), item.get("status", {})
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions", []))
        if ready and "deletionTimestamp" not in meta and status.get("podIP"):
            node = item.get("spec", {}).get("nodeName", "")
            found.append(RunningPod(str(meta.get("name")), str(node), str(status["podIP"])))
    return tuple(sorted(found, key=lambda pod: pod.name))


def server_addresses(text: str) -> tuple[str, ...]:
    """The addresses of haproxy.cfg's servers for pods, in order.

    Neither spare slots nor the server of the controller's own backend, which is on the loopback interface.
    """
    return tuple(_SERVER.findall(text))


def exactly(word: str) -> str:
    """A regular expression for exactly this address or name."""
    return rf"(?<![\w.]){re.escape(word)}(?![\w.])"


def comma_list(words: Iterable[str]) -> str:
    """The words with commas between them; `none` if there are none."""
    return ", ".join(words) or "none"
