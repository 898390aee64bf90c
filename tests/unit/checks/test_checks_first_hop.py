"""Who is the first hop from an ingress machine to a pod, if a router is in between."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from support.made_facts import make_facts

from labctl.checks.collect import questions_about_pods
from labctl.facts.pods import FirstHop, Ping
from labctl.model.lab import Lab

EXCEEDED = "From 192.168.61.18 icmp_seq=1 Time to live exceeded"


@pytest.mark.real_program("bash")
@pytest.mark.parametrize(("reported_at", "attempts"), [(1, 1), (3, 3), (9, 3)])
def test_a_router_that_limits_its_reports_is_asked_again(reported_at: int, attempts: int) -> None:
    ping = (
        f"ping() {{ echo x >&2; [ $attempt -lt {reported_at} ] || echo '{EXCEEDED}'; return 1; }}; sleep() {{ :; }}; "
    )
    words = ping + FirstHop(IPv4Address("172.16.0.1")).command
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert done.stderr.count("x") == attempts
    assert done.stdout.strip() == (EXCEEDED if reported_at == attempts else "")
    assert done.returncode == 1


@pytest.mark.parametrize(("router", "asked"), [("true", 2), ("false", 0)])
def test_the_way_to_one_pod_per_node_is_asked_for(make_lab: Callable[[str], Lab], router: str, asked: int) -> None:
    """The application has more pods than that, and the router would not report all of them."""
    lab = make_lab(f"provider: lxc\nrouter: {router}\n")
    questions = questions_about_pods(lab, make_facts(lab), lab.ingress, 1500)
    assert sum(isinstance(fact, FirstHop) for fact in questions) == asked
    assert sum(isinstance(fact, Ping) for fact in questions) > 2
