"""The commands that show what a machine's programs identify themselves with, and what the controller may read.

No key and no password is read.
"""

from __future__ import annotations

import json
import shlex
from ipaddress import IPv4Address

from labctl.checks.patience import ANSWER_SECONDS, CONNECT_SECONDS
from labctl.model.lab import Machine, Role, Source

API_PORT = 6443
CONTROLLER_KUBECONFIG = "/etc/haproxy-ingress/kubeconfig"
CONTROLLER_NAME = "haproxy-ingress"
CONTROLLER_GROUP = "labctl:ingress-controllers"
"""Whom the controller's certificate names (labctl/secrets); its rights are the group's."""

READER = "/etc/labctl/reader.pem"
"""The certificate and key by which labctl reads the API. Its rights: scripts/files/reader-objects.yaml.j2."""

KUBELET_KUBECONFIG = "/etc/kubernetes/kubelet.conf"
"""It names the kubelet's certificate by its file."""

_PKI = "/etc/kubernetes/pki"


def curl_within(patience: float) -> tuple[str, ...]:
    """curl that waits for a connection, and for the answer, as long as verify does."""
    return (
        *("curl", "-sS"),
        *("--connect-timeout", f"{CONNECT_SECONDS * patience:.3g}"),
        *("--max-time", f"{ANSWER_SECONDS * patience:.3g}"),
    )


def as_reader(patience: float) -> tuple[str, ...]:
    """curl with labctl's own client certificate. The user agent is set because the API server indents JSON for curl."""
    return (
        *(*curl_within(patience), "--fail-early", "-A", "labctl"),
        *("--cacert", f"{_PKI}/ca.crt", "--cert", READER),
    )


def etcd_health_command(patience: float) -> str:
    """The command that asks etcd how it is, as the API server would: JSON with `health` (etcd: /health)."""
    client = "apiserver-etcd-client"
    words = (*curl_within(patience), "--cacert", f"{_PKI}/etcd/ca.crt")
    return shlex.join((*words, "--cert", f"{_PKI}/{client}.crt", "--key", f"{_PKI}/{client}.key", ETCD_HEALTH))


ETCD_HEALTH = "https://127.0.0.1:2379/health"
_KUBEADMS = ("apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client")


def certificates_of(machine: Machine, source: Source) -> tuple[str, ...]:
    """The files with certificates that this machine's programs need: kubeadm's, the kubelet's, labctl's own."""
    if machine.role is Role.INGRESS:
        return (CONTROLLER_KUBECONFIG,)
    if not machine.is_node:
        return ()
    files = [f"{_PKI}/ca.crt", "/var/lib/kubelet/pki/kubelet-client-current.pem", KUBELET_KUBECONFIG]
    if machine.role is Role.CONTROLPLANE:
        files += [READER, *(f"{_PKI}/{name}.crt" for name in _KUBEADMS)]
        files += [f"/etc/kubernetes/{name}.conf" for name in ("admin", "controller-manager", "scheduler")]
        files += _of_etcd(source)
    if source is Source.DEBIAN:
        files.append("/etc/labctl/calico-node.kubeconfig")
    return tuple(files)


def _of_etcd(source: Source) -> list[str]:
    if source is Source.DEBIAN:
        return ["/etc/etcd-pki/server.crt"]
    return [f"{_PKI}/etcd/{name}.crt" for name in ("server", "peer", "healthcheck-client")]


def certificates_command(files: tuple[str, ...]) -> str:
    """The command that prints these files' certificates, and of their keys nothing: one sed for all.

    Each file's name comes first; in a kubeconfig a certificate stands in base64, after client-certificate-data, and the
    API's address after server.
    """
    server = r's/.*server"\?: *"\?\(https[^" ]*\).*/server \1/p'
    encoded = r's/.*client-certificate-data"\?: *"\?\([A-Za-z0-9+\/=]*\).*/data \1/p'
    return f"sed -sn '1F;/BEGIN CERTIFICATE/,/END CERTIFICATE/p;{server};{encoded}' {shlex.join(files)}"


def controller_reads(source: Source) -> tuple[tuple[str, str], ...]:
    """What the controller must be allowed to list: API groups and kinds (scripts/files/ingress-objects.yaml.j2)."""
    kinds = [
        ("networking.k8s.io", "ingresses"),
        ("networking.k8s.io", "ingressclasses"),
        ("discovery.k8s.io", "endpointslices"),
        ("", "services"),
    ]
    if source is Source.UPSTREAM:
        kinds += [("", name) for name in ("namespaces", "configmaps", "secrets")]
    return tuple(kinds)


END_OF_ANSWER = "labctl-url %{http_code} %{url_effective}"
"""What curl prints after each answer, on a line of its own (curl's --write-out)."""


def rights_command(address: IPv4Address, source: Source, patience: float) -> str:
    """One curl that asks the API of each kind of object whether the controller may list it.

    Nothing is done in the controller's name. Each answer is a line of JSON, then END_OF_ANSWER.
    """
    url = f"https://{address}:{API_PORT}/apis/authorization.k8s.io/v1/subjectaccessreviews"
    curl, *options = as_reader(patience)
    options += ["-w", rf"\n{END_OF_ANSWER}\n", "-H", "Content-Type: application/json"]
    words = [curl]
    for group, kind in controller_reads(source):
        words += ["--next"] if len(words) > 1 else []
        words += [*options, "--data", json.dumps(_review(group, kind)), url]
    return shlex.join(words)


def _review(group: str, kind: str) -> dict[str, object]:
    """The question whether the controller may list objects of a kind (authorization.k8s.io/v1, SubjectAccessReview)."""
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": CONTROLLER_NAME,
            "groups": [CONTROLLER_GROUP, "system:authenticated"],
            "resourceAttributes": {"group": group, "resource": kind, "verb": "list"},
        },
    }
