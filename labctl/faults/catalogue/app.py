"""Faults of the application's objects: Deployment, Service, Ingress."""

from __future__ import annotations

from functools import partial

from labctl.checks.check import Layer
from labctl.faults.fault import object_fault

_object = partial(object_fault, Layer.CLUSTER)


def _patch(kind: str, name: str, patch: str) -> str:
    return f"keep_object {kind} {name}\nkubectl patch {kind} {name} --type=json --patch='{patch}'"


FAULTS = (
    _object(
        "pods-scaled-to-zero",
        1,
        "cluster.app",
        "scaled to 0 pods",
        "Deployment app wants 0 pods",
        "503 and not a single error anywhere: read what is wanted before what is there.",
        "keep_object deployment app\nkubectl scale deployment app --replicas=0",
    ),
    _object(
        "pods-unready",
        2,
        "cluster.app",
        "not ready",
        "a readiness probe asks a port where the application does not listen",
        "Running is not ready: what decides whether a pod gets requests.",
        _patch(
            "deployment",
            "app",
            '[{"op":"replace","path":"/spec/strategy","value":{"type":"RollingUpdate",'
            '"rollingUpdate":{"maxUnavailable":"100%","maxSurge":"100%"}}},'
            '{"op":"add","path":"/spec/template/spec/containers/0/readinessProbe",'
            '"value":{"tcpSocket":{"port":9},"periodSeconds":1}}]',
        ),
    ),
    _object(
        "image-wrong",
        1,
        "cluster.app",
        "Pull",
        "the Deployment names an image that does not exist",
        "A new version does not come up: where Kubernetes says why, and why the old one still serves.",
        _patch(
            "deployment",
            "app",
            '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"jmalloc/echo-sever:latest"}]',
        ),
    ),
    _object(
        "service-selector-wrong",
        1,
        "cluster.service",
        "selects run=aap",
        "the Service selects pods with a label that none has",
        "Pods are ready and nobody sends them requests: how a Service finds its pods.",
        _patch("service", "app", '[{"op":"replace","path":"/spec/selector","value":{"run":"aap"}}]'),
    ),
    _object(
        "service-port-wrong",
        2,
        "cluster.service",
        "8081",
        "the Service's target port is not the pods'",
        "Which of a Service's ports is which.",
        _patch("service", "app", '[{"op":"replace","path":"/spec/ports/0/targetPort","value":8081}]'),
    ),
    _object(
        "ingress-class-wrong",
        2,
        "cluster.ingress",
        "class",
        "the Ingress has a class that the controller does not serve",
        "A correct Ingress that nobody takes up: how a controller knows which ones are its own.",
        _patch("ingress", "test-ingress", '[{"op":"add","path":"/spec/ingressClassName","value":"nginx"}]'),
    ),
    _object(
        "ingress-host-wrong",
        1,
        "cluster.ingress",
        "no Ingress has a rule for",
        "the Ingress has a rule for another host name",
        "404 is an answer too: who gives it, and what it tells.",
        _patch("ingress", "test-ingress", '[{"op":"replace","path":"/spec/rules/0/host","value":"tset.local"}]'),
    ),
    _object(
        "ingress-service-wrong",
        1,
        "cluster.ingress",
        "no Service app2",
        "the Ingress leads to a Service that does not exist",
        "From the host name to the pod: every object on the way must name the next one.",
        _patch(
            "ingress",
            "test-ingress",
            '[{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"app2"}]',
        ),
    ),
    _object(
        "service-deleted",
        1,
        "cluster.service",
        "there is no Service app",
        "Service app is deleted",
        "What is missing leaves no log: compare what is there with what should be.",
        "keep_object service app\nkubectl delete service app --ignore-not-found",
    ),
)
