"""From the output of the API probe (probes.api_command) to a Cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from labctl.checks import read_objects as read
from labctl.checks import read_policies
from labctl.checks.cluster_objects import Cluster, Policy
from labctl.checks.probes import API_PATHS, OPTIONAL_KINDS
from labctl.host.command import CommandResult
from labctl.json_text import read_json

_Kind = TypeVar("_Kind")
_END_OF_BODY = re.compile(r"^labctl-url (\d{3}) (\S+)$", re.MULTILINE)


def read_cluster(result: CommandResult) -> Cluster:
    """The cluster as the API described it.

    Never fails: what is missing or can't be read has its reason in ``errors``.
    """
    answers = _Answers(result)
    return Cluster(
        readyz=answers.text("readyz"),
        version=str(answers.object("version").get("gitVersion", "")),
        nodes=answers.items("nodes", read.read_node),
        pods=answers.items("pods", read.read_pod),
        services=answers.items("services", read.read_service),
        endpoints=dict(answers.items("endpoints", read.read_endpoints)),
        deployments=answers.items("deployments", read.read_deployment),
        daemonsets=answers.items("daemonsets", read.read_daemonset),
        ingress_paths=tuple(path for paths in answers.items("ingresses", read.read_ingress) for path in paths),
        ingress_classes=answers.items("ingressclasses", read.read_ingress_class),
        pools=answers.items("ippools", read.read_pool),
        bgp_configurations=answers.items("bgpconfigurations", read.read_bgp_configuration),
        bgp_peers=answers.items("bgppeers", read.read_bgp_peer),
        blocks=answers.items("blockaffinities", read.read_block),
        policies=_policies(answers),
        errors=answers.errors,
    )


def _policies(answers: _Answers) -> tuple[Policy, ...]:
    found = answers.items("networkpolicies", read_policies.read_network_policy)
    for name in OPTIONAL_KINDS:
        found += answers.items(name, read_policies.read_calico_policy)
    return tuple(policy for policies in found for policy in policies)


class _Answers:
    """The bodies that curl printed, by name; errors collects what is wrong with them."""

    def __init__(self, result: CommandResult) -> None:
        self.errors: dict[str, str] = {}
        self._bodies: dict[str, str] = {}
        names = {path: name for name, path in API_PATHS.items()}
        start = 0
        for end in _END_OF_BODY.finditer(result.stdout):
            url = urlsplit(end[2])
            name = names.get(url.path + (f"?{url.query}" if url.query else ""))
            body = result.stdout[start : end.start()].strip()
            start = end.end()
            if name is None:
                continue
            if end[1] == "200" or name == "readyz":
                self._bodies[name] = body
            if end[1] == "404" and name in OPTIONAL_KINDS:
                self._bodies[name] = ""
            elif end[1] != "200":
                self.errors[name] = result.stderr.strip() if end[1] == "000" else f"HTTP {end[1]}: {_message(body)}"
        for name in API_PATHS:
            if name not in self._bodies:
                self.errors.setdefault(name, result.stderr.strip() or "no answer")

    def text(self, name: str) -> str:
        return self._bodies.get(name, "")

    def object(self, name: str) -> read.Object:
        try:
            data = read_json(self._bodies.get(name) or "{}")
        except ValueError as error:
            self.errors[name] = f"not JSON: {error}"
            return {}
        return data if isinstance(data, dict) else {}

    def items(self, name: str, reader: Callable[[read.Object], _Kind]) -> tuple[_Kind, ...]:
        found = []
        items = self.object(name).get("items")
        for item in items if isinstance(items, list) else []:
            try:
                found.append(reader(item))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                self.errors.setdefault(name, f"an object that can't be read: {type(error).__name__} {error}")
        return tuple(found)


def _message(body: str) -> str:
    """The API's own words in a Status object, or the beginning of the body."""
    try:
        return str(read_json(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200]
