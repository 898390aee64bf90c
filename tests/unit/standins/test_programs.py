"""What is copied to the machines runs there without the rest of labctl."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labctl.model.lab import Lab
from labctl.steps.tree import render_tree

pytestmark = pytest.mark.real_program("python")

MODULES = (
    "labctl.standins.calico.agent",
    "labctl.standins.calico.calicoctl",
    "labctl.standins.calico.cni",
    "labctl.standins.controller.__main__",
    "labctl.standins.kubernetes.client",
)


@pytest.mark.parametrize("machine", ["ingress", "worker1"])
def test_the_copied_programs_import_nothing_else(machine: str, article_lab: Lab, tmp_path: Path) -> None:
    folder = f"machines/{machine}/programs/"
    count = 0
    for path, file in render_tree(article_lab, join_hash="sha256:" + 64 * "0", box_file=None).items():
        if str(path).startswith(folder):
            copy = tmp_path / str(path).removeprefix(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.content)
            count += 1
    assert count > len(MODULES)
    code = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *MODULES],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(MODULES)
    assert all(line.startswith(str(tmp_path)) for line in done.stdout.splitlines())


def test_the_cni_plugin_imports_little(tmp_path: Path) -> None:
    """It starts once per pod."""
    from labctl.standins.calico import cni

    code = f"import runpy, sys; runpy.run_path({cni.__file__!r}, run_name='cni'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, text=True, check=True)
    assert {"kubernetes", "yaml", "jinja2", "argparse", "dataclasses", "logging"}.isdisjoint(done.stdout.split())
