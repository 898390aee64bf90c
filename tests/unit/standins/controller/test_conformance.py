"""What HAProxy's own controller 3.2.11 answered, asked of the stand-in: objects in, answers and log lines out.

The recorded cases are in controller-3.2.11.json. Where the stand-in differs, the case has an entry "stand_in" with the
reason; its log line must say so, too.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fake_api import (
    CLASSES,
    CONFIGMAPS,
    INGRESSES,
    PATIENCE,
    SERVICES,
    SLICES,
    FakeApi,
    config_map,
    endpoint_slice,
    ingress,
    service,
    until,
)
from support.running_controller import Pod, RunningController

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "controller-3.2.11.json").read_text())["cases"]
# Kinds are followed side by side: an Ingress may be known a moment before its Service.
NOT_YET = re.compile(r"does not exist$|no matching endpoints")
PATHS = {"ConfigMap": CONFIGMAPS, "Ingress": INGRESSES, "Service": SERVICES}


class Lab:
    """The lab in which the cases were recorded: the applications app, at test.local, and app2; a controller."""

    def __init__(self, api: FakeApi, pods: list[Pod], controller: RunningController) -> None:
        self.api, self.controller = api, controller
        self.pods = {"app": pods[:5], "app2": pods[5:7]}
        self.markers = 0
        controller_name = {"controller": "haproxy.org/ingress-controller/haproxy"}
        api.put(CLASSES, {"metadata": {"name": "haproxy"}, "spec": controller_name})
        api.put(CONFIGMAPS, config_map())
        api.put(SERVICES, service())
        self.publish("app", "app", "port-1")
        app2 = service("app2", port_name="web")
        api.put(SERVICES, app2)
        self.publish("app2", "app2", "web")
        api.put(INGRESSES, ingress())

    def publish(self, name: str, run: str, port_name: str) -> None:
        """What Kubernetes does for a Service: an EndpointSlice of the pods that it selects."""
        pods = self.pods.get(run, [])
        port = self.pods["app"][0].port
        self.api.put(SLICES, endpoint_slice([pod.ip for pod in pods], port, name=name, port_name=port_name))

    def apply(self, manifest: dict[str, Any]) -> None:
        self.api.put(PATHS[manifest["kind"]], manifest)
        spec = manifest.get("spec", {})
        if manifest["kind"] == "Service" and "selector" in spec:
            self.publish(manifest["metadata"]["name"], spec["selector"]["run"], spec["ports"][0]["name"])

    def remove(self, manifest: dict[str, Any]) -> None:
        if manifest["kind"] == "ConfigMap":
            self.api.put(CONFIGMAPS, config_map())
            return
        self.api.delete(PATHS[manifest["kind"]], manifest["metadata"]["name"])

    def settle(self) -> None:
        """Wait until the controller has seen what was applied before: until it serves one more Ingress."""
        self.markers += 1
        host = f"marker-{self.markers}.local"
        self.api.put(INGRESSES, ingress(host, name="marker"))
        until(lambda: self.controller.get(host=host)[0] == 200)

    def answer(self, url: str) -> str:
        """An answer as it is recorded: status, where a redirect leads, which application answered."""
        host, slash, path = url.partition("/")
        connection = http.client.HTTPConnection("127.0.0.1", self.controller.http, timeout=PATIENCE)
        connection.request("GET", slash + path, headers={"Host": host})
        response = connection.getresponse()
        status, body = str(response.status), response.read()
        connection.close()
        if location := response.headers.get("Location"):
            return f"{status} {location}"
        if response.status != 200:
            return status
        address = json.loads(body)["pod"]
        return f"{status} {next(name for name, pods in self.pods.items() if address in {pod.ip for pod in pods})}"

    def warnings(self) -> list[str]:
        """What the controller itself has logged about the objects."""
        return re.findall(
            r"^\d{4}-\S+ \S+ WARNING ((?:Ingress|service|ConfigMap) '.*)$", self.controller.log, re.MULTILINE
        )


@pytest.fixture(scope="module")
def lab(module_controller: tuple[FakeApi, list[Pod], RunningController]) -> Iterator[Lab]:
    found = Lab(*module_controller)
    found.settle()
    yield found


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_stand_in_answers_as_the_real_controller(case: dict[str, Any], lab: Lab) -> None:
    objects = json.loads(json.dumps(case["objects"]))
    expected = {**case["answers"], **case.get("stand_in", {}).get("answers", {})}
    log = case.get("stand_in", case)["log"]
    if case["case"] == "external name":
        # The recorded Service leads to port 80 of the controller's own machine: back to HAProxy itself.
        external, asking = objects
        external["spec"]["ports"][0]["port"] = lab.controller.http
        asking["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"]["number"] = lab.controller.http
    before = len(lab.warnings())
    answers: dict[str, str] = {}
    for manifest in objects:
        lab.apply(manifest)
    lab.settle()
    with contextlib.suppress(AssertionError):  # what is different is shown below
        until(lambda: answers.update({url: lab.answer(url) for url in expected}) or answers == expected)
        until(lambda: set(log) <= set(lab.warnings()[before:]))
    warnings = lab.warnings()[before:]
    for manifest in objects:
        lab.remove(manifest)
    lab.settle()
    assert answers == expected
    assert set(log) <= set(warnings)
    assert not [line for line in set(warnings) - set(log) if not NOT_YET.search(line)]


def test_where_the_stand_in_differs_it_says_so() -> None:
    differing = [case for case in CASES if "stand_in" in case]
    assert len(CASES) == 39 and differing
    for case in differing:
        assert case["stand_in"]["why"]
        assert all("the stand-in" in line for line in case["stand_in"]["log"])
