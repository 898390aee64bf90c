"""What the lead installs: the unit, its settings, the rights in the cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from labctl.standins.controller.__main__ import followed_resources
from labctl.steps.templates import render_template, templates_folder


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "haproxy-ingress.service"
    unit.write_text(render_template(templates_folder(), "scripts/files/haproxy-ingress.service.j2", {}))
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
