"""docs/reference/: the catalogues of steps, checks and faults, from the code."""

from __future__ import annotations

import re

from support.recorded_facts import recorded_facts

from labctl.checks.catalogue import all_checks
from labctl.checks.check import Layer
from labctl.config import parse
from labctl.config.build import build
from labctl.faults.catalogue import FAULTS
from labctl.faults.fault import Fault, Method
from labctl.model.lab import Provider, Role, Source
from labctl.steps.catalogue import STEPS, Need
from tools.reference.markdown import code, plain, table


def steps() -> str:
    """docs/reference/steps.md."""
    rows = [
        (code(step.name), step.title, _roles(step.roles), _needs(step.needs), _needs(step.beside), f"{step.deadline} s")
        for step in STEPS
    ]
    head = """\
# Steps

`labctl up` does these on each machine that they concern, side by side, each as soon as what it needs is done.
A step is `scripts/NAME.sh.j2` and its check `scripts/NAME.check.sh.j2`; what a machine really runs is in
`.labctl/machines/MACHINE/steps/`. A step that was done from the same files and whose check holds is skipped.
`labctl plan` shows your own lab's.

"""
    return head + table(("step", "what for", "on", "needs", "waits for while it runs", "deadline"), rows)


def _roles(roles: frozenset[Role]) -> str:
    if roles == frozenset(Role):
        return "all machines"
    return ", ".join(role.value for role in Role if role in roles)


def _needs(needs: tuple[Need, ...]) -> str:
    return ", ".join(code(need.step) + (" everywhere" if need.everywhere else "") for need in needs)


def checks() -> str:
    """docs/reference/checks.md: those of a lab with two workers; what differs only by the machine stands once."""
    lab = build(parse(b"name: faults\nnetwork: {subnet: 192.168.78.0/24, service_cidr: 10.78.0.0/16}\n"), Provider.LXC)
    facts = recorded_facts()
    parts = [
        """\
# Checks

`labctl verify` makes these, bottom up. One whose needs failed is *blocked*, not failed: what is reported as failed is
what is broken. MACHINE stands for each machine (here ingress), WORKER for a worker, POD for a pod of the application.
`labctl -v verify` lists your own lab's with what was seen.

"""
    ]
    seen: set[str] = set()
    for layer in Layer:
        rows = []
        for check in all_checks(lab, facts):
            general = _general(str(check.id))
            if check.layer is layer and general not in seen:
                seen.add(general)
                needs = ", ".join(dict.fromkeys(code(_general(str(need))) for need in check.needs))
                title, expected, command = (_general(text) for text in (check.title, check.expected, check.command))
                rows.append((code(general), plain(title), plain(expected), code(_cut(command)), needs))
        headings = ("check", "what", "expected", "the same by hand", "needs")
        parts += [f"## {layer.value}\n\n", table(headings, rows), "\n"]
    return "".join(parts).rstrip("\n") + "\n"


def _general(text: str) -> str:
    """A check's words with the subject's kind in place of its name."""
    text = re.sub(r"\bworker[0-9]+\b", "WORKER", text)
    text = re.sub(r"^(machine\.(?:\w+\.)?)(?:ingress|controlplane|WORKER)$", r"\1MACHINE", text)
    text = re.sub(r"\bapp-[0-9a-f]{8,10}-[a-z0-9]{5}\b", "POD", text)
    text = re.sub(r"\b192\.168\.78\.(2[3-9])\b", "WORKER", text)
    text = re.sub(r"\b172\.16\.\d+\.\d+(/26)\b", "BLOCK", text)
    text = re.sub(r"\b172\.16\.\d+\.(?!0\b)\d+\b", "ADDRESS", text)
    return text.replace("192.168.78.", "192.168.50.")


def _cut(text: str, most: int = 100) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def faults() -> str:
    """docs/reference/faults.md, for students: no answers."""
    rows = [
        (code(fault.name), str(fault.level), fault.layer.value, plain(fault.lesson), _where(fault)) for fault in FAULTS
    ]
    head = f"""\
# Faults

`labctl break NAME` breaks the lab in one of {len(FAULTS)} ways, `labctl verify --explain` finds it,
`labctl repair` undoes it.
Level 1: one command shows it. Level 2: compare two sides. Level 3: one must know how the parts hang together.
What exactly each one breaks, and what verify says, is on a page for teachers that gives the answers away:
[faults.md](../faults.md).

"""
    return head + table(("fault", "level", "layer", "what it teaches", "on"), rows)


def _where(fault: Fault) -> str:
    words = []
    if set(fault.sources) != set(Source):
        words.append("source " + ", ".join(source.value for source in fault.sources))
    if fault.method is not Method.SSH:
        words.append("provider " + ", ".join(provider.value for provider in Provider if provider.traits.has_console))
    return "; ".join([fault.role.value, *words])
