"""Layer http: what a browser on this host gets."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.checks.application import app_target, endpoints_of, ready_endpoints, target_for
from labctl.checks.check import CheckId, Layer, Lesson, Outcome, counted, failed, listed, passed
from labctl.checks.declare import (
    HOST_ROUTE,
    PACKETS,
    Declaration,
    Declarations,
    Subject,
    adds_to,
    answers,
    at_ingress,
    host_route,
    machine_state,
    on_host,
    views,
)
from labctl.checks.facts import Facts, HttpAnswer
from labctl.checks.http_requests import UNKNOWN_HOST
from labctl.checks.pods import pods_by_node
from labctl.facts.cluster import Pod
from labctl.facts.haproxy import HaproxyStatistics
from labctl.facts.pods import PodHttp
from labctl.model.kubernetes import Endpoint
from labctl.model.lab import Lab

CHECKS = Declarations(Layer.HTTP)
check = adds_to(CHECKS, Declaration)
_ANSWERED_BY_HAPROXY = {
    "request-redirect": (301, 302, 303, 307, 308),
    "ssl-redirect": (301, 302, 303, 307, 308),
    "auth-type": (401,),
    "allow-list": (403,),
    "whitelist": (403,),
    "deny-list": (403,),
    "blacklist": (403,),
    "rate-limit-requests": (403, 429),
}
"""Annotations that have HAProxy answer by itself, and with which status (HAProxy's controller 3.2)."""
_CANNOT_SERVE = (502, 503, 504)
_LESSON = Lesson(
    "the browser shows an error.",
    "All layers below are fine, so the fault is between this host and HAProxy, or in the application.",
    "Ask with `curl -v`, from the host and from ingress, and compare.",
)


def _proxy(lab: Lab, *_about: object) -> Iterable[CheckId]:
    """What an answer of HAProxy depends on, on each ingress machine of this view of the lab."""
    if lab.provider.traits.makes_bridge:
        yield from (Layer.HOST.check("firewall"), Layer.HOST.check("bridge"))
    if lab.vip:
        yield Layer.PROXY.check("vip")
    for view in views(lab):
        yield answers(view.ingress)
        yield from (at_ingress(Layer.PROXY, subject, view) for subject in ("haproxy", "frontend", "controller"))
        yield from machine_state((view.ingress,))
        if lab.vip:
            yield Layer.PROXY.check("keepalived", view.ingress.name)


def _application(lab: Lab, servers: tuple[str, ...], pods: tuple[str, ...]) -> Iterable[CheckId]:
    """What an answer of the application depends on: the proxy and what it knows, the cluster, the paths to the pods."""
    yield from _proxy(lab)
    yield from (Layer.CLUSTER.check(subject) for subject in ("app", "service", "ingress", "policy"))
    yield from (Layer.PROXY.check("rights"), *machine_state(lab.workers, (*PACKETS, "processes")))
    for view in views(lab):
        name = view.ingress.name
        yield from (at_ingress(Layer.PROXY, subject, view) for subject in ("access", "servers"))
        yield from (Layer.ROUTE.check(name, node.name) for node in lab.nodes)
        yield from (Layer.ROUTE.check("learned", name), Layer.ROUTE.check("strays", name))
        yield from (at_ingress(Layer.PROXY, f"server.{server}", view) for server in servers)
        yield from (at_ingress(Layer.ROUTE, f"pod.{pod}", view) for pod in pods)


def _served(lab: Lab, facts: Facts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the application's servers and of those pods among them that packets can be sent to."""
    reached = {pod.name for _, pods in pods_by_node(facts, lab) for pod in pods}
    endpoints = ready_endpoints(facts, lab)
    servers = tuple(endpoint.pod or endpoint.address for endpoint in endpoints)
    return servers, tuple(endpoint.pod for endpoint in endpoints if endpoint.pod in reached)


def _each_own_address(lab: Lab, facts: Facts) -> Iterable[Subject]:
    """Each ingress machine, where they share an address."""
    for view in views(lab) if lab.vip else ():
        yield Subject(view, _served(view, facts), words=(view.ingress.name,))


def _host_name(lab: Lab, facts: Facts) -> Iterable[Subject]:
    yield Subject(lab, _served(lab, facts), words=(lab.app.host,))


def answers_itself(facts: Facts, lab: Lab, *_depends: object) -> Outcome:
    """This ingress machine answers at its own address."""
    answer = facts.http.direct.get(lab.ingress.name, HttpAnswer(0, error="not asked"))
    if answer.status == 200:
        return passed(answer.words)
    hint = f"curl -i -H 'Host: {lab.app.host}' http://{lab.ingress.address}/"
    return failed(answer.words, _why_not_200(lab, [answer]), hint)


check(
    "",
    answers_itself,
    on=_each_own_address,
    title="{lab.ingress.name} serves {lab.app.host} on its own address, too",
    expected="HTTP 200, served by a pod",
    command="curl -i -H 'Host: {lab.app.host}' http://{lab.ingress.address}/",
    lesson=_LESSON,
    needs=host_route,
    explained_by=_application,
)


def unknown_host(facts: Facts, lab: Lab) -> Outcome:
    """HAProxy answers: with 404, or with what the default backend says where some Ingress is for every host."""
    answer = facts.http.unknown
    target = target_for(facts, UNKNOWN_HOST)
    if answer.error:
        return failed(answer.error, _why_no_answer(lab, answer), f"labctl ssh {lab.ingress.name} -- ss -ltnp")
    if target is None or target.ingress is None:
        if answer.status == 404:
            return passed("HTTP 404")
        cause = f"something serves every host name, and no Ingress asks for that: not HAProxy? ({answer.words})"
        return failed(answer.words, cause, "labctl kubectl get ingress -A")
    leads = f"Ingress {target.ingress.name} leads every host to Service {target.service.name}"
    statistics = facts.on(lab.ingress.name).get(HaproxyStatistics)
    if statistics and target.backend not in {server.backend for server in statistics.servers}:
        cause = f"{leads}, but HAProxy has no backend for it: the controller ignored the Ingress"
        return failed(answer.words, cause, f"labctl ssh {lab.ingress.name} -- journalctl -u haproxy-ingress -n 20")
    if answer.status in _CANNOT_SERVE and any(endpoint.ready for endpoint in endpoints_of(facts, target)):
        cause = f"{leads}, whose pods are ready, but the answer is {answer.words}"
        return failed(answer.words, cause, f"labctl kubectl describe service {target.service.name}")
    return passed(f"{answer.words}: {leads}")


def _why_no_answer(lab: Lab, answer: HttpAnswer) -> str:
    return f"HTTP does not get through from this host to {_entry_words(lab)}: {answer.error}"


def _entry_words(lab: Lab) -> str:
    return f"the shared address {lab.entry}, port 80" if lab.vip else f"{lab.ingress.name}'s port 80"


check(
    "unknown",
    unknown_host,
    on=on_host,
    title="An unknown host name gets 404, or the default backend's answer",
    expected="HTTP 404, unless an Ingress is for every host",
    command=f"curl -i -H 'Host: {UNKNOWN_HOST}' http://{{lab.entry}}/",
    lesson=Lesson(
        "a host name that no Ingress serves is answered all the same, or with another error.",
        "HAProxy sends requests that match no Ingress to its default backend, which answers 404.",
        "Look for an Ingress without a host, and for what is between this host and HAProxy.",
    ),
    needs=host_route,
    explained_by=_proxy,
)


def application(facts: Facts, lab: Lab, *_depends: object) -> Outcome:
    """Every request is answered with 200, by a pod."""
    answers = facts.http.answers
    good = [answer for answer in answers if answer.status == 200]
    bad = [answer for answer in answers if answer.status != 200]
    asked_for = {words for answer in bad if (words := _asked_for(facts, lab, answer))}
    if asked_for and all(_asked_for(facts, lab, answer) for answer in bad):
        return passed(listed(sorted(asked_for)))
    if bad or not good:
        words = listed(dict.fromkeys(answer.words for answer in bad)) or "not asked"
        observed = f"{len(bad)} of {counted(len(answers), 'request')}: {words}"
        return failed(observed, _why_not_200(lab, bad), f"curl -i -H 'Host: {lab.app.host}' http://{lab.entry}/")
    served = dict.fromkeys(answer.server for answer in good if answer.server)
    if not served:
        return passed(f"HTTP 200 to {counted(len(good), 'request')}; the application does not say which pod served")
    return passed(
        f"HTTP 200 to {counted(len(good), 'request')}, served by {counted(len(served), 'pod')}: {listed(served)}"
    )


def _asked_for(facts: Facts, lab: Lab, answer: HttpAnswer) -> str:
    """What the answer follows from, where HAProxy gives it itself because an Ingress asks for that; else empty."""
    target = app_target(facts, lab)
    item = target.ingress if target else None
    if item is None:
        return ""
    asked = {name.partition("/")[2] for name in item.annotations} | ({"ssl-redirect"} if item.has_tls else set())
    why = next((name for name in asked if answer.status in _ANSWERED_BY_HAPROXY.get(name, ())), "")
    return f"HTTP {answer.status}, as Ingress {item.name} asks for: {why}" if why else ""


def _why_not_200(lab: Lab, bad: list[HttpAnswer]) -> str:
    if not bad:
        return "no request was sent"
    answer = bad[0]
    known = {
        404: f"HAProxy has no backend for {lab.app.host}",
        503: "HAProxy has no server that takes requests",
        502: "a pod broke off its answer",
        504: "a pod did not answer HAProxy in time",
    }
    return known.get(answer.status) or (
        _why_no_answer(lab, answer) if answer.error else f"the application answers {answer.words}"
    )


check(
    "",
    application,
    on=_host_name,
    title="http://{lab.app.host}/ answers through ingress",
    expected="HTTP 200, served by a pod",
    command="curl -i -H 'Host: {lab.app.host}' http://{lab.entry}/",
    lesson=_LESSON,
    needs=host_route,
    explained_by=lambda lab, *about: (*_application(lab, *about), Layer.HTTP.check("unknown")),
)


def _each_pod(lab: Lab, facts: Facts) -> Iterable[Subject]:
    """The endpoint, and its pod if packets can be sent to it."""
    pods = {pod.name: pod for _, pods in pods_by_node(facts, lab) for pod in pods}
    for endpoint in ready_endpoints(facts, lab):
        if endpoint.pod:
            yield Subject(lab, (endpoint, pods.get(endpoint.pod)), words=(endpoint.pod,))


def pod_serves(facts: Facts, lab: Lab, endpoint: Endpoint, _pod: Pod | None) -> Outcome:
    """The pod was one of those that answered, or answers ingress when it is asked directly.

    Which pods HAProxy chooses for a few requests is left to its algorithm; that it may choose this one is
    proxy.server's question.
    """
    answers = facts.http.answers
    mine = [answer for answer in answers if answer.server == endpoint.pod]
    if mine:
        return passed(f"{len(mine)} of {counted(len(answers), 'answer')}")
    direct = facts.reach_from(lab.ingress.name).result(PodHttp(endpoint.address, endpoint.port))
    if direct.ok and direct.stdout.strip() not in ("", "000"):
        return passed(f"answers {lab.ingress.name} directly: HTTP {direct.stdout.strip()}")
    said = (direct.stderr.strip().splitlines() or [f"status {direct.status}"])[-1]
    hint = f"labctl ssh {lab.ingress.name} -- curl -i --max-time 2 http://{endpoint.address}:{endpoint.port}/"
    return failed("no answer", f"pod {endpoint.pod} does not answer {lab.ingress.name}'s request: {said}", hint)


check(
    "pod",
    pod_serves,
    on=_each_pod,
    title="Pod {0.pod} serves requests for {lab.app.host}",
    expected="an answer through HAProxy, or to {lab.ingress.name}'s own request",
    command="curl -s -H 'Host: {lab.app.host}' http://{lab.entry}/ | head -1",
    lesson=_LESSON,
    needs=lambda lab, *_about: (HOST_ROUTE, answers(lab.ingress)),
    explained_by=lambda lab, endpoint, pod: (
        Layer.HTTP.check(machine=lab.app.host),
        Layer.PROXY.check("servers"),
        Layer.PROXY.check("access"),
        Layer.PROXY.check("server", endpoint.pod),
        *((at_ingress(Layer.ROUTE, f"pod.{pod.name}", lab),) if pod else ()),
        *(Layer.CLUSTER.check(subject) for subject in ("app", "service", "policy")),
    ),
)
