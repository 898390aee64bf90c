"""What the stops compare with: blocks and pods, asked of the cluster without showing it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.tour.stop import Guide, kubectl

_SERVER = re.compile(r"^\s*server \S+ (\d+\.\d+\.\d+\.\d+):\d+ enabled", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunningPod:
    """A ready pod of the application."""

    name: str
    node: str
    address: str


def blocks(guide: Guide) -> dict[str, str]:
    """Each node's first block of the pod network, by node name."""
    found: dict[str, str] = {}
    for item in guide.ask_items(kubectl("get blockaffinities -o json")):
        spec = item.get("spec", {})
        if str(spec.get("state")) == "confirmed":
            found.setdefault(str(spec.get("node")), str(spec.get("cidr")))
    return found


def pods(guide: Guide) -> tuple[RunningPod, ...]:
    """The application's ready pods that stay."""
    found = []
    for item in guide.ask_items(kubectl("get pods -l run=app -o json")):
        meta, status = item.get("metadata", {}), item.get("status", {})
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions", []))
        if ready and "deletionTimestamp" not in meta and status.get("podIP"):
            node = item.get("spec", {}).get("nodeName", "")
            found.append(RunningPod(str(meta.get("name")), str(node), str(status["podIP"])))
    return tuple(sorted(found, key=lambda pod: pod.name))


def server_addresses(text: str) -> tuple[str, ...]:
    """The addresses of haproxy.cfg's servers that are in use, in order."""
    return tuple(_SERVER.findall(text))


def whole(word: str) -> str:
    """A mark for exactly this address or name."""
    return rf"(?<![\w.]){re.escape(word)}(?![\w.])"


def listed(words: Iterable[str]) -> str:
    """Words with commas; a dash for none."""
    return ", ".join(words) or "none"
