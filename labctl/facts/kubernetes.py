"""What the Kubernetes API and etcd answer, asked on the control plane."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address
from typing import TypeVar
from urllib.parse import urlsplit

from labctl.facts import cluster as read
from labctl.facts.certificates import PKI, READER
from labctl.facts.cluster import Cluster
from labctl.facts.fact import API_SECONDS, Fact, ParseError, TextFact, curl
from labctl.facts.json_output import read_as, read_json
from labctl.facts.policies import Policy, read_calico_policy, read_network_policy
from labctl.host.command import CommandResult
from labctl.model.calico import (
    AGGREGATED,
    API_VERSION,
    parse_bgp_configuration,
    parse_bgp_peer,
    parse_block_affinity,
    parse_ip_pool,
)
from labctl.model.kubernetes import parse_endpoints, parse_ingress, parse_ingress_class, parse_service
from labctl.model.lab import Lab, Machine, Role, Source

API_PORT = 6443
CONTROLLER_NAME = "haproxy-ingress"
CONTROLLER_GROUP = "labctl:ingress-controllers"
"""Whom the controller's certificate names (labctl/secrets); its rights are the group's."""
CALICO_KINDS = ("ippools", "bgpconfigurations", "bgppeers", "blockaffinities")
_PATHS = {
    "readyz": "/readyz?verbose",
    "version": "/version",
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "services": "/api/v1/services",
    "endpoints": "/api/v1/endpoints",
    "deployments": "/apis/apps/v1/deployments",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "ingresses": "/apis/networking.k8s.io/v1/ingresses",
    "ingressclasses": "/apis/networking.k8s.io/v1/ingressclasses",
    "networkpolicies": "/apis/networking.k8s.io/v1/networkpolicies",
}
_POLICIES = {"caliconetworkpolicies": "networkpolicies", "globalnetworkpolicies": "globalnetworkpolicies"}
OPTIONAL_KINDS = tuple(_POLICIES)
"""What a cluster need not have: what stands in for Calico has no policies."""
MANIFESTS = "/etc/kubernetes/manifests"
ETCD_HEALTH = "https://127.0.0.1:2379/health"
END_OF_ANSWER = "labctl-url %{http_code} %{url_effective} %header{date}"
"""What curl prints after each answer, on a line of its own (curl's --write-out; %header from 7.84 on)."""

_Kind = TypeVar("_Kind")
_END_OF_BODY = re.compile(r"^labctl-url (\d{3}) (\S+)(?: (.*))?$", re.MULTILINE)


def api_paths(calico_api: str) -> dict[str, str]:
    """What is read from the Kubernetes API, by the name that the facts give it. calico_api: that of the lab.

    Calico's policies are read where Kubernetes stores them: Calico's API server shows only those in tiers that one may
    read.
    """
    kinds = {kind: kind for kind in CALICO_KINDS} | _POLICIES
    return _PATHS | {name: f"/apis/{calico_api}/{kind}" for name, kind in kinds.items()}


def as_reader(patience: float) -> tuple[str, ...]:
    """curl with labctl's own client certificate. The user agent is set because the API server indents JSON for curl."""
    return (*curl(patience), "--fail-early", "-A", "labctl", "--cacert", f"{PKI}/ca.crt", "--cert", READER)


class Api(TextFact):
    """Everything that is read from the API, for read_cluster: one curl, so one process and one TLS session.

    Each body is followed by END_OF_ANSWER.
    """

    name = "api"
    roles = (Role.CONTROLPLANE,)
    deadline = API_SECONDS

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """curl of all paths."""
        urls = [f"https://{machine.address}:{API_PORT}{path}" for path in api_paths(lab.calico_api).values()]
        return shlex.join([*as_reader(patience), "-w", rf"\n{END_OF_ANSWER}\n", *urls])


class EtcdHealth(TextFact):
    """The health that etcd reports: JSON with `health` (etcd: /health)."""

    name = "etcd-health"
    roles = (Role.CONTROLPLANE,)

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """curl, with the API server's own certificate for etcd."""
        client = "apiserver-etcd-client"
        words = (*curl(patience), "--cacert", f"{PKI}/etcd/ca.crt")
        return shlex.join((*words, "--cert", f"{PKI}/{client}.crt", "--key", f"{PKI}/{client}.key", ETCD_HEALTH))


class StaticPods(Fact[frozenset[str]]):
    """The static pods that the control plane's kubelet is to run: the manifests in its folder, by their names."""

    name = "static-pods"
    roles = (Role.CONTROLPLANE,)
    command = f"ls {MANIFESTS}"

    def parse(self, output: str) -> frozenset[str]:
        """Without the suffix."""
        return frozenset(name.removesuffix(".yaml") for name in output.split() if name.endswith(".yaml"))


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


def rights_command(address: IPv4Address, source: Source, patience: float) -> str:
    """One curl that asks the API of each kind of object whether the controller may list it.

    The controller's identity is not used. Each answer is a line of JSON, then END_OF_ANSWER.
    """
    url = f"https://{address}:{API_PORT}/apis/authorization.k8s.io/v1/subjectaccessreviews"
    program, *options = as_reader(patience)
    options += ["-w", rf"\n{END_OF_ANSWER}\n", "-H", "Content-Type: application/json"]
    words = [program]
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


class ControllerRights(Fact[Mapping[str, bool]]):
    """Whether the controller may list each kind of object that it reads."""

    name = "controller-rights"
    roles = (Role.CONTROLPLANE,)
    deadline = API_SECONDS

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """As rights_command."""
        return rights_command(machine.address, lab.source, patience)

    def parse(self, output: str) -> Mapping[str, bool]:
        """By kind. Raises ParseError where the API did not answer a question."""
        found = {}
        for line in output.splitlines():
            if line.startswith("{"):
                review = read_json(line)
                if "spec" not in review:
                    raise ParseError(review.get("message", line[:200]))
                kind, allowed = read_as(_answer, review)
                found[kind] = allowed
        if not found:
            raise ParseError(output.strip()[:200] or "nothing")
        return found


def _answer(review: read.Object) -> tuple[str, bool]:
    return str(review["spec"]["resourceAttributes"]["resource"]), bool(review["status"]["allowed"])


def read_cluster(result: CommandResult) -> Cluster:
    """The cluster as the API described it (Api).

    Never fails: what is missing or can't be read has its reason in ``errors``.
    """
    answers = _Answers(result)
    return Cluster(
        readyz=answers.text("readyz"),
        version=str(answers.object("version").get("gitVersion", "")),
        nodes=answers.items("nodes", read.read_node),
        pods=answers.items("pods", read.read_pod),
        services=answers.items("services", parse_service),
        endpoints={
            (found.namespace, found.service): found.endpoints for found in answers.items("endpoints", parse_endpoints)
        },
        deployments=answers.items("deployments", read.read_deployment),
        daemonsets=answers.items("daemonsets", read.read_daemonset),
        ingresses=answers.items("ingresses", parse_ingress),
        ingress_classes=answers.items("ingressclasses", parse_ingress_class),
        pools=answers.ipv4_items("ippools", "cidr", parse_ip_pool),
        bgp_configurations=answers.items("bgpconfigurations", parse_bgp_configuration),
        bgp_peers=answers.ipv4_items("bgppeers", "peerIP", parse_bgp_peer),
        blocks=answers.ipv4_items("blockaffinities", "cidr", parse_block_affinity),
        policies=_policies(answers),
        last_changes=answers.last_changes,
        errors=answers.errors,
    )


def _policies(answers: _Answers) -> tuple[Policy, ...]:
    found = answers.items("networkpolicies", read_network_policy)
    for name in OPTIONAL_KINDS:
        found += answers.items(name, read_calico_policy)
    return tuple(policy for policies in found for policy in policies)


class _Answers:
    """The bodies that curl printed, by name; errors collects what is wrong with them, last_changes as Cluster's."""

    def __init__(self, result: CommandResult) -> None:
        self.errors: dict[str, str] = {}
        self.last_changes: dict[str, float] = {}
        self._bodies: dict[str, str] = {}
        self._dates: dict[str, str] = {}
        names = {path: name for api in (API_VERSION, AGGREGATED) for name, path in api_paths(api).items()}
        start = 0
        for end in _END_OF_BODY.finditer(result.stdout):
            url = urlsplit(end[2])
            name = names.get(url.path + (f"?{url.query}" if url.query else ""))
            body = result.stdout[start : end.start()].strip()
            start = end.end()
            if name is None:
                continue
            self._dates[name] = end[3] or ""
            if end[1] == "200" or name == "readyz":
                self._bodies[name] = body
            if end[1] == "404" and name in OPTIONAL_KINDS:
                self._bodies[name] = ""
            elif end[1] != "200":
                self.errors[name] = result.stderr.strip() if end[1] == "000" else f"HTTP {end[1]}: {_message(body)}"
        for name in names.values():
            if name not in self._bodies:
                self.errors.setdefault(name, result.stderr.strip() or "no answer")

    def text(self, name: str) -> str:
        return self._bodies.get(name, "")

    def object(self, name: str) -> read.Object:
        try:
            data = read_json(self._bodies.get(name) or "{}")
        except ParseError as error:
            self.errors[name] = str(error)
            return {}
        return data if isinstance(data, dict) else {}

    def items(self, name: str, reader: Callable[[read.Object], _Kind]) -> tuple[_Kind, ...]:
        """The objects that can be read."""
        found = []
        items = self.object(name).get("items")
        for item in items if isinstance(items, list) else []:
            self._note_change(name, item)
            try:
                found.append(read_as(reader, item))
            except ParseError as error:
                self.errors.setdefault(name, f"cannot read {error}")
        return tuple(found)

    def ipv4_items(self, name: str, key: str, reader: Callable[[read.Object], _Kind]) -> tuple[_Kind, ...]:
        """The same, without objects whose field ``key`` is empty or of IPv6: the lab routes nothing else."""

        def read_ipv4(item: read.Object) -> tuple[_Kind, ...]:
            return (reader(item),) if "." in str(item.get("spec", {}).get(key)) else ()

        return tuple(found for items in self.items(name, read_ipv4) for found in items)

    def _note_change(self, name: str, item: read.Object) -> None:
        """How long before the answer the object was written, where both say when."""
        with suppress(ParseError):
            ago = read_as(lambda found: parsedate_to_datetime(self._dates[name]) - read.read_written(found), item)
            seconds = ago.total_seconds()
            self.last_changes[name] = min(seconds, self.last_changes.get(name, seconds))


def _message(body: str) -> str:
    """The API's own words in a Status object, or the beginning of the body."""
    try:
        return str(read_as(lambda status: status["message"], read_json(body)))
    except ParseError:
        return body[:200]
