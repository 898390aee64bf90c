"""Layer http: what a browser on this host sees."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.cluster_objects import Endpoint
from labctl.checks.facts import Facts, HttpAnswer
from labctl.checks.http_requests import UNKNOWN_HOST
from labctl.checks.probes import HAPROXY_SOCKET
from labctl.checks.subjects import ready_endpoints
from labctl.model.lab import Lab

_MOST_ASKED = 60  # as many as http_requests sends


def checks(lab: Lab, facts: Facts) -> list[Check]:
    """All checks of this layer."""
    url = f"http://{lab.ingress.address}/"
    ingress = lab.ingress.name
    basis = [
        f"{kind}.{ingress}"
        for kind in ("machine.firewall", "machine.shaping", "machine.address", "machine.mtu", "route.rules")
    ]
    proxy = (f"machine.{ingress}", "proxy.haproxy", "proxy.controller", *basis)
    pods = [
        f"{kind}.{endpoint.pod}" for endpoint in ready_endpoints(facts, lab) for kind in ("proxy.server", "route.pod")
    ]
    cluster = [f"cluster.{kind}" for kind in ("app", "service", "ingress")]
    kinds = ("route.ingress", "machine.firewall", "machine.mtu")
    walls = [f"{kind}.{node.name}" for node in lab.nodes for kind in kinds]
    ways = ("route.learned.ingress", "route.strays.ingress", *walls)
    return [
        Check(
            id="http.unknown",
            layer=Layer.HTTP,
            machine="host",
            title="A host name that nobody serves is not found",
            expected="HTTP 404",
            command=f"curl -i -H 'Host: {UNKNOWN_HOST}' {url}",
            run=unknown_host,
            needs=("host.route",),
            explained_by=proxy,
        ),
        Check(
            id=f"http.{lab.app.host}",
            layer=Layer.HTTP,
            machine="host",
            title=f"http://{lab.app.host}/ answers through ingress",
            expected="HTTP 200, served by a pod",
            command=f"curl -i -H 'Host: {lab.app.host}' {url}",
            run=application,
            needs=("host.route",),
            explained_by=(*proxy, "http.unknown", "proxy.access", "proxy.servers", *cluster, *ways, *pods),
        ),
        *(_pod_check(lab, endpoint) for endpoint in ready_endpoints(facts, lab)[:_MOST_ASKED] if endpoint.pod),
    ]


def unknown_host(facts: Facts, lab: Lab) -> Outcome:
    """HAProxy answers, and says 404."""
    answer = facts.http.unknown
    if answer.status == 404:
        return passed("HTTP 404")
    if answer.error:
        return failed(answer.error, _why_no_answer(lab, answer), f"labctl ssh {lab.ingress.name} -- ss -ltnp")
    cause = f"something serves every host name: an Ingress without a host, or not HAProxy ({answer.words})"
    return failed(answer.words, cause, "labctl kubectl get ingress -A")


def _why_no_answer(lab: Lab, answer: HttpAnswer) -> str:
    return f"HTTP does not get from this host to {lab.ingress.name}'s port 80: {answer.error}"


def application(facts: Facts, lab: Lab) -> Outcome:
    """Every request is answered with 200, by a pod."""
    answers = facts.http.answers
    good = [answer for answer in answers if answer.status == 200]
    bad = [answer for answer in answers if answer.status != 200]
    if bad or not good:
        words = listed(dict.fromkeys(answer.words for answer in bad)) or "not asked"
        observed = f"{len(bad)} of {counted(len(answers), 'request')}: {words}"
        return failed(
            observed, _why_not_200(lab, bad), f"curl -i -H 'Host: {lab.app.host}' http://{lab.ingress.address}/"
        )
    served = dict.fromkeys(answer.server for answer in good if answer.server)
    if not served:
        return passed(f"HTTP 200 to {counted(len(good), 'request')}; the application does not say which pod served")
    return passed(
        f"HTTP 200 to {counted(len(good), 'request')}, served by {counted(len(served), 'pod')}: {listed(served)}"
    )


def _why_not_200(lab: Lab, bad: list[HttpAnswer]) -> str:
    if not bad:
        return "no request was sent"
    answer = bad[0]
    known = {
        404: f"HAProxy knows no backend for {lab.app.host}",
        503: "HAProxy has no server that takes requests",
        502: "a pod broke off its answer",
        504: "a pod did not answer HAProxy in time",
    }
    return known.get(answer.status) or (
        _why_no_answer(lab, answer) if answer.error else f"the application answers {answer.words}"
    )


def _pod_check(lab: Lab, endpoint: Endpoint) -> Check:
    def run(facts: Facts, lab_: Lab) -> Outcome:
        return pod_serves(facts, lab_, endpoint)

    return Check(
        id=f"http.pod.{endpoint.pod}",
        layer=Layer.HTTP,
        machine="host",
        title=f"Pod {endpoint.pod} serves requests for {lab.app.host}",
        expected="at least one answer in three rounds",
        command=f"curl -s -H 'Host: {lab.app.host}' http://{lab.ingress.address}/ | head -1",
        run=run,
        needs=("host.route",),
        explained_by=(
            f"http.{lab.app.host}",
            "proxy.servers",
            "proxy.access",
            f"proxy.server.{endpoint.pod}",
            "cluster.app",
        ),
    )


def pod_serves(facts: Facts, lab: Lab, endpoint: Endpoint) -> Outcome:
    """The pod was one of those that answered."""
    answers = facts.http.answers
    mine = [answer for answer in answers if answer.server == endpoint.pod]
    if mine:
        return passed(f"{len(mine)} of {counted(len(answers), 'answer')}")
    if answers and not any(answer.server for answer in answers):
        return passed("the application does not say which pod served")
    cause = f"HAProxy sent none of {counted(len(answers), 'request')} to pod {endpoint.pod}"
    return failed(
        "no answer", cause, f'labctl ssh {lab.ingress.name} -- "echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET}"'
    )
