"""Faults of the application's objects: Deployment, Service, Ingress."""

from __future__ import annotations

from functools import partial

from labctl.checks.check import Layer
from labctl.faults.fault import object_fault, patch_object

_object = partial(object_fault, Layer.CLUSTER)


FAULTS = (
    _object(
        "pods-scaled-to-zero",
        1,
        Layer.CLUSTER.check("app"),
        "scaled to 0 pods",
        "Deployment app wants 0 pods",
        "503, and no error anywhere: look at the desired state before the actual state.",
        "back_up_object deployment app\nkubectl scale deployment app --replicas=0",
    ),
    _object(
        "pods-unready",
        2,
        Layer.CLUSTER.check("app"),
        "not ready",
        "the readiness probe checks a port on which the application does not listen",
        "Running is not ready: what decides whether a pod gets requests.",
        patch_object(
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
        Layer.CLUSTER.check("app"),
        "Pull",
        "the Deployment names an image that does not exist",
        "A new version does not start: where Kubernetes says why, and why the old one keeps serving.",
        patch_object(
            "deployment",
            "app",
            '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"jmalloc/echo-sever:latest"}]',
        ),
    ),
    _object(
        "service-selector-wrong",
        1,
        Layer.CLUSTER.check("service"),
        "selects run=aap",
        "the Service selects pods by a label that none has",
        "Pods are ready but get no requests: how a Service finds its pods.",
        patch_object("service", "app", '[{"op":"replace","path":"/spec/selector","value":{"run":"aap"}}]'),
    ),
    _object(
        "service-port-wrong",
        2,
        Layer.CLUSTER.check("service"),
        "8081",
        "the Service's targetPort is not the port of its pods",
        "port and targetPort: which of a Service's ports is which.",
        patch_object("service", "app", '[{"op":"replace","path":"/spec/ports/0/targetPort","value":8081}]'),
    ),
    _object(
        "ingress-class-wrong",
        2,
        Layer.CLUSTER.check("ingress"),
        "class",
        "the Ingress has a class that the controller does not serve",
        "A correct Ingress that no controller serves: how a controller knows which ones are its own.",
        patch_object("ingress", "test-ingress", '[{"op":"add","path":"/spec/ingressClassName","value":"nginx"}]'),
    ),
    _object(
        "ingress-host-wrong",
        1,
        Layer.CLUSTER.check("ingress"),
        "no Ingress has a rule for",
        "the Ingress has a rule for another host name",
        "404 is an answer too: who sends it, and what it means.",
        patch_object("ingress", "test-ingress", '[{"op":"replace","path":"/spec/rules/0/host","value":"tset.local"}]'),
    ),
    _object(
        "ingress-service-wrong",
        1,
        Layer.CLUSTER.check("ingress"),
        "no Service app2",
        "the Ingress points to a Service that does not exist",
        "From the host name to the pod: every object on the way must name the next one.",
        patch_object(
            "ingress",
            "test-ingress",
            '[{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"app2"}]',
        ),
    ),
    _object(
        "service-deleted",
        1,
        Layer.CLUSTER.check("service"),
        "there is no Service app",
        "Service app is deleted",
        "A missing object writes no log: compare what exists with what should exist.",
        "back_up_object service app\nkubectl delete service app --ignore-not-found",
    ),
)
