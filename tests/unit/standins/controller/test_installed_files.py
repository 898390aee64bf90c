"""What the lead installs: the unit, its settings, the rights in the cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from labctl.model.lab import Lab
from labctl.standins.controller.__main__ import followed_resources
from labctl.standins.controller.annotations import backend_options, unknown_annotations
from labctl.steps.templates import render_template, templates_folder

pytestmark = pytest.mark.real_program("systemd-analyze")


@pytest.mark.parametrize("source", ["debian", "upstream"])
def test_systemd_accepts_the_unit(article_lab: Lab, tmp_path: Path, source: str) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "haproxy-ingress.service"
    values = {"source": source, "controlplane": article_lab.controlplane}
    unit.write_text(render_template(templates_folder(), "scripts/files/haproxy-ingress.service.j2", values))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "haproxy-ingress" not in done.stderr, done.stderr


def objects(source: str) -> list[dict[str, Any]]:
    """The objects that the control plane makes for the controller, rendered for that source."""
    text = render_template(templates_folder(), "scripts/files/ingress-objects.yaml.j2", {"source": source})
    return list(yaml.safe_load_all(text))


def test_the_rights_are_exactly_what_is_followed() -> None:
    documents = objects("debian")
    rules = [rule for found in documents for rule in found.get("rules", ())]
    allowed = {(group, name) for rule in rules for group in rule["apiGroups"] for name in rule["resources"]}
    needed = set()
    for resource in followed_resources(("default", "haproxy-kubernetes-ingress")):
        words = resource.path.split("/")
        needed.add((words[2] if words[1] == "apis" else "", words[-1]))
    assert allowed == needed
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert [rule["resourceNames"] for rule in rules if "configmaps" in rule["resources"]] == [
        ["haproxy-kubernetes-ingress"]
    ]
    subjects = {found["subjects"][0]["name"] for found in documents if "subjects" in found}
    assert subjects == {"labctl:ingress-controllers"}


def test_the_real_controllers_rights_are_for_the_same_group() -> None:
    role, binding = objects("upstream")[:2]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0]["name"] == "labctl:ingress-controllers"
    readable = {name for rule in role["rules"] for name in rule["resources"]}
    assert {"namespaces", "services", "secrets", "configmaps", "ingresses", "endpointslices"} <= readable


@pytest.mark.parametrize("source", ["debian", "upstream"])
def test_the_controller_redirects_to_the_port_on_which_it_listens(source: str) -> None:
    """HAProxy's own redirects to 8443 where the ConfigMap has no ssl-redirect-port (observed with 3.2.11)."""
    data = next(found["data"] for found in objects(source) if found["kind"] == "ConfigMap")
    flags = render_template(templates_folder(), "scripts/files/haproxy-ingress.default.j2", {"source": source})
    assert f"--https-bind-port={data['ssl-redirect-port']} " in flags


def test_the_applications_annotations_are_spelled_as_the_real_controller_wants_them(article_lab: Lab) -> None:
    """Of `enabled` it says at every sync: `check - [enabled] is DEPRECATED, use "true" or "false"` (3.2.11)."""
    text = render_template(templates_folder(), "scripts/files/app.yaml.j2", {"lab": article_lab})
    annotations = next(found for found in yaml.safe_load_all(text) if found["kind"] == "Service")["metadata"][
        "annotations"
    ]
    named = {name.removeprefix("haproxy.org/"): value for name, value in annotations.items()}
    assert {name: named[name] for name in ("check", "forwarded-for")} == {"check": "true", "forwarded-for": "true"}
    options, refused = backend_options([named, {"ssl-redirect-port": "443"}])
    assert (options.check, options.forwarded_for, refused, unknown_annotations(named)) == (True, True, (), ())
