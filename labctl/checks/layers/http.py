"""Layer http: what a browser on this host sees."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts, HttpAnswer
from labctl.checks.http_requests import UNKNOWN_HOST
from labctl.checks.layers.beneath import PACKETS, machine_ids
from labctl.checks.subjects import app_service, of_ingress, ready_endpoints, views
from labctl.facts.cluster import Endpoint
from labctl.facts.haproxy import HAPROXY_SOCKET, HaproxyConfig
from labctl.model.lab import Lab

_SPREADING = ("roundrobin", "static-rr", "leastconn", "random")
_MOST_ASKED = 60  # as many as http_requests sends


def checks(lab: Lab, facts: Facts) -> list[Check]:
    """All checks of this layer."""
    url = f"http://{lab.entry}/"
    proxy, ways = _proxy(lab), _ways(lab, facts)
    return [
        *(_direct_check(view, facts) for view in views(lab) if lab.vip),
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
            explained_by=(*proxy, "http.unknown", *ways),
        ),
        *(_pod_check(lab, endpoint) for endpoint in ready_endpoints(facts, lab)[:_MOST_ASKED] if endpoint.pod),
    ]


def _proxy(lab: Lab) -> tuple[str, ...]:
    """What an answer of HAProxy stands on, on every ingress machine of this view of the lab."""
    found = ["host.firewall", "host.bridge", *(["proxy.vip"] if lab.vip else [])]
    for view in views(lab):
        name = view.ingress.name
        found += [
            f"machine.{name}",
            *(of_ingress(f"proxy.{kind}", view) for kind in ("haproxy", "frontend", "controller")),
        ]
        found += machine_ids((view.ingress,))
        found += [f"proxy.keepalived.{name}"] if lab.vip else []
    return tuple(found)


def _ways(lab: Lab, facts: Facts) -> tuple[str, ...]:
    """What an answer of the application stands on besides: the proxy's knowledge, the cluster, the ways to the pods."""
    found = [f"cluster.{kind}" for kind in ("app", "service", "ingress", "policy")]
    found += ["proxy.rights", *machine_ids(lab.workers, (*PACKETS, "processes"))]
    for view in views(lab):
        name = view.ingress.name
        found += [of_ingress(f"proxy.{kind}", view) for kind in ("access", "servers")]
        found += [f"route.{name}.{node.name}" for node in lab.nodes]
        found += [f"route.learned.{name}", f"route.strays.{name}"]
        pods = [endpoint.pod for endpoint in ready_endpoints(facts, lab)]
        found += [of_ingress(f"{kind}.{pod}", view) for pod in pods for kind in ("proxy.server", "route.pod")]
    return tuple(found)


def _direct_check(lab: Lab, facts: Facts) -> Check:
    ingress = lab.ingress

    def run(facts: Facts, _lab: Lab) -> Outcome:
        return answers_itself(facts, lab)

    return Check(
        id=f"http.{ingress.name}",
        layer=Layer.HTTP,
        machine="host",
        title=f"{ingress.name} itself serves {lab.app.host}, whoever has the shared address",
        expected="HTTP 200, served by a pod",
        command=f"curl -i -H 'Host: {lab.app.host}' http://{ingress.address}/",
        run=run,
        needs=("host.route",),
        explained_by=(*_proxy(lab), *_ways(lab, facts)),
    )


def answers_itself(facts: Facts, lab: Lab) -> Outcome:
    """This ingress machine answers at its own address."""
    answer = facts.http.direct.get(lab.ingress.name, HttpAnswer(0, error="not asked"))
    if answer.status == 200:
        return passed(answer.words)
    hint = f"curl -i -H 'Host: {lab.app.host}' http://{lab.ingress.address}/"
    return failed(answer.words, _why_not_200(lab, [answer]), hint)


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
    return f"HTTP does not get from this host to {_entry_words(lab)}: {answer.error}"


def _entry_words(lab: Lab) -> str:
    return f"the shared address {lab.entry}, port 80" if lab.vip else f"{lab.ingress.name}'s port 80"


def application(facts: Facts, lab: Lab) -> Outcome:
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
        command=f"curl -s -H 'Host: {lab.app.host}' http://{lab.entry}/ | head -1",
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
