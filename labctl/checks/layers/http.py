"""Layer http: what a browser on this host gets."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.checks.application import app_service, ready_endpoints
from labctl.checks.check import CheckId, Layer, Lesson, Outcome, counted, failed, listed, passed
from labctl.checks.declare import (
    PACKETS,
    Declaration,
    Declarations,
    Subject,
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
from labctl.facts.cluster import Endpoint
from labctl.facts.haproxy import HAPROXY_SOCKET, HaproxyConfig
from labctl.model.lab import Lab

CHECKS = Declarations(Layer.HTTP)
_SPREADING = ("roundrobin", "static-rr", "leastconn", "random")
_MOST_ASKED = 60  # as many as http_requests sends
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


CHECKS.add(
    Declaration(
        "",
        answers_itself,
        on=_each_own_address,
        title="{lab.ingress.name} itself serves {lab.app.host}, whoever has the shared address",
        expected="HTTP 200, served by a pod",
        command="curl -i -H 'Host: {lab.app.host}' http://{lab.ingress.address}/",
        lesson=_LESSON,
        needs=host_route,
        explained_by=_application,
    )
)


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
    return f"HTTP does not get through from this host to {_entry_words(lab)}: {answer.error}"


def _entry_words(lab: Lab) -> str:
    return f"the shared address {lab.entry}, port 80" if lab.vip else f"{lab.ingress.name}'s port 80"


CHECKS.add(
    Declaration(
        "unknown",
        unknown_host,
        on=on_host,
        title="An unknown host name gets 404",
        expected="HTTP 404",
        command=f"curl -i -H 'Host: {UNKNOWN_HOST}' http://{{lab.entry}}/",
        lesson=Lesson(
            "a host name that no Ingress serves is answered all the same, or with another error.",
            "HAProxy sends requests that match no Ingress to its default backend, which answers 404.",
            "Look for an Ingress without a host, and for what is between this host and HAProxy.",
        ),
        needs=host_route,
        explained_by=_proxy,
    )
)


def application(facts: Facts, lab: Lab, *_depends: object) -> Outcome:
    """Every request is answered with 200, by a pod."""
    answers = facts.http.answers
    good = [answer for answer in answers if answer.status == 200]
    bad = [answer for answer in answers if answer.status != 200]
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


CHECKS.add(
    Declaration(
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
)


def _each_pod(lab: Lab, facts: Facts) -> Iterable[Subject]:
    for endpoint in ready_endpoints(facts, lab)[:_MOST_ASKED]:
        if endpoint.pod:
            yield Subject(lab, (endpoint,), words=(endpoint.pod,))


def pod_serves(facts: Facts, lab: Lab, endpoint: Endpoint) -> Outcome:
    """The pod was one of those that answered."""
    answers = facts.http.answers
    mine = [answer for answer in answers if answer.server == endpoint.pod]
    if mine:
        return passed(f"{len(mine)} of {counted(len(answers), 'answer')}")
    if answers and not any(answer.server for answer in answers):
        return passed("the application does not say which pod served")
    one_way = _one_way(facts, lab)
    if one_way:
        return passed(f"`balance {one_way}`: all requests of one client may go to one pod")
    cause = f"HAProxy sent none of {counted(len(answers), 'request')} to pod {endpoint.pod}"
    return failed(
        "no answer", cause, f'labctl ssh {lab.ingress.name} -- "echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET}"'
    )


def _one_way(facts: Facts, lab: Lab) -> str:
    """How HAProxy chooses a server for the application, if not so that a client's requests are spread; else empty."""
    service = app_service(facts, lab)
    configuration = facts.on(lab.ingress.name).get(HaproxyConfig)
    if service is None or configuration is None:
        return ""
    mine = [
        way
        for name, way in configuration.balance.items()
        if name.startswith(f"{service.namespace}_svc_{service.name}_")
    ]
    return next((way for way in mine if not way.startswith(_SPREADING)), "")


CHECKS.add(
    Declaration(
        "pod",
        pod_serves,
        on=_each_pod,
        title="Pod {0.pod} serves requests for {lab.app.host}",
        expected="at least one answer in three rounds",
        command="curl -s -H 'Host: {lab.app.host}' http://{lab.entry}/ | head -1",
        lesson=_LESSON,
        needs=host_route,
        explained_by=lambda lab, endpoint: (
            Layer.HTTP.check(machine=lab.app.host),
            Layer.PROXY.check("servers"),
            Layer.PROXY.check("access"),
            Layer.PROXY.check("server", endpoint.pod),
            Layer.CLUSTER.check("app"),
        ),
    )
)
