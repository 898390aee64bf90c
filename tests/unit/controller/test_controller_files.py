"""What the lead installs: the unit, its settings, the rights in the cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from labctl.standins.controller.watch import resources

FOLDER = Path(__file__).resolve().parents[3] / "labctl/standins/controller"


def test_systemd_accepts_the_unit() -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    command = ["systemd-analyze", "verify", "--man=no", str(FOLDER / "haproxy-ingress.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "haproxy-ingress" not in done.stderr, done.stderr


def test_the_rights_are_exactly_what_is_followed() -> None:
    documents = list(yaml.safe_load_all((FOLDER / "rbac.yaml").read_text()))
    rules = [rule for found in documents for rule in found.get("rules", ())]
    allowed = {(group, name) for rule in rules for group in rule["apiGroups"] for name in rule["resources"]}
    needed = set()
    for resource in resources(("default", "haproxy-kubernetes-ingress")):
        words = resource.sources[0].path.split("/")
        needed.add((words[2] if words[1] == "apis" else "", words[-1]))
    assert allowed == needed
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    subjects = {found["subjects"][0]["name"] for found in documents if "subjects" in found}
    assert subjects == {"labctl:ingress-controllers"}


def test_the_real_controllers_rights_are_for_the_same_group() -> None:
    role, binding = yaml.safe_load_all((FOLDER / "rbac-real.yaml").read_text())
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0]["name"] == "labctl:ingress-controllers"
