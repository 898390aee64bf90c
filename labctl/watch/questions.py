"""What is followed on which machine: under the names of verify's probes, so that the same code reads the answers."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from importlib import resources

from labctl.checks.credentials import API_PORT
from labctl.checks.probes import API_PATHS, HAPROXY_SOCKET
from labctl.model.lab import Lab, Machine, Role

BIRD_SOCKET = "/run/bird/bird.ctl"
_OBJECTS = ("version", "nodes", "pods", "services", "endpoints", "ingresses", "blockaffinities")


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to follow. name: the probe's. kind, place, words: see follower.py."""

    name: str
    kind: str
    place: str
    words: str


def questions_for(lab: Lab, machine: Machine) -> tuple[Question, ...]:
    """What is followed there; nothing on a worker, beyond whether it answers."""
    if machine.role is Role.INGRESS:
        return (
            Question("protocols", "bird", BIRD_SOCKET, "show protocols all"),
            Question("routes", "kernel", "/proc/net/route", "ip -json route"),
            Question("haproxy-status", "haproxy", HAPROXY_SOCKET, "show stat"),
        )
    if machine is lab.router:
        return (
            Question("protocols", "bird", BIRD_SOCKET, "show protocols all"),
            Question("routes", "kernel", "/proc/net/route", "ip -json route"),
        )
    if machine is lab.controlplane:
        paths = " ".join(API_PATHS[name] for name in _OBJECTS)
        return (Question("api", "api", f"https://{machine.address}:{API_PORT}", paths),)
    return ()


def program(questions: tuple[Question, ...], pause: float) -> bytes:
    """The Python program for the machine's `python3 -IS -`."""
    source = resources.files("labctl.watch").joinpath("follower.py").read_text(encoding="utf-8")
    wanted = json.dumps([astuple(question) for question in questions])
    return f"{source}\n\nmain(json.loads({wanted!r}), {pause!r})\n".encode()
