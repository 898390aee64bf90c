"""The wheel: what is in it, and that it renders a lab where there is no checkout."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import labctl

pytestmark = pytest.mark.real_program("python")

# Where an import comes from, if its name does not say: pydantic and jinja2 require the last two themselves.
DISTRIBUTIONS = {
    "vagrant": "python-vagrant",
    "ruamel": "ruamel-yaml",
    "yaml": "pyyaml",
    "pydantic_core": "pydantic",
    "markupsafe": "jinja2",
}


@pytest.fixture(scope="module")
def wheel(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    for module in ("build", "hatchling"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(templates)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=target)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = target.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.fixture(scope="module")
def unpacked(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    wheel.extractall(folder)
    return folder


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def run(package: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run labctl from a folder that holds the package, with a home and a cache of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(package),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(cwd),
        "XDG_CACHE_HOME": str(cwd / "cache"),
    }
    command = [sys.executable, "-m", "labctl", *words]
    return subprocess.run(command, check=False, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)


def test_the_wheel_holds_every_file_of_the_package_and_the_templates(wheel: zipfile.ZipFile, templates: Path) -> None:
    """Box files, crds.yaml, units, Jinja2 templates: each file, so that a new kind of file cannot be forgotten."""
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {f"labctl/{name}" for name in files_below(templates / "labctl")}
    wanted |= {f"labctl/templates/scripts/{name}" for name in files_below(templates / "scripts")}
    wanted |= {"labctl/templates/Vagrantfile.j2"}
    assert wanted - held == set()
    assert held - wanted == set()


@pytest.mark.parametrize(
    "name",
    [
        "labctl/templates/Vagrantfile.j2",
        "labctl/templates/scripts/host/prepare.sh.j2",
        "labctl/templates/scripts/debian/calico.sh.j2",
        "labctl/box/files/rootfs.sh",
        "labctl/box/files/rootfs/etc/ssh/sshd_config",
        "labctl/standins/calico/crds.yaml",
        "labctl/standins/calico/labctl-calico-node.service",
        "labctl/standins/controller/haproxy.cfg.j2",
        "labctl/checks/collector.py",
    ],
)
def test_a_file_that_no_lab_comes_up_without(wheel: zipfile.ZipFile, name: str) -> None:
    assert wheel.getinfo(name).file_size > 0


def test_metadata_and_command(wheel: zipfile.ZipFile) -> None:
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    fields = Parser().parsestr(wheel.read(metadata).decode())
    assert (fields["Name"], fields["Version"]) == ("labctl", labctl.__version__)
    (points,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    assert "labctl = labctl.__main__:main" in wheel.read(points).decode()


def test_every_import_is_a_dependency(wheel: zipfile.ZipFile) -> None:
    """The stand-ins run on the machines, with Debian's own packages: what they import is not asked of the host."""
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    fields = Parser().parsestr(wheel.read(metadata).decode())
    required = [line for line in fields.get_all("Requires-Dist", []) if "extra ==" not in line]
    words = [re.split(r"[^A-Za-z0-9._-]", line)[0].lower() for line in required]
    declared = {re.sub(r"[-_.]+", "-", word) for word in words}
    imported: dict[str, str] = {}
    for name in wheel.namelist():
        if name.endswith(".py") and not name.startswith("labctl/standins/"):
            for module in modules_of(wheel.read(name)):
                imported.setdefault(DISTRIBUTIONS.get(module, module), name)
    missing = {module: name for module, name in imported.items() if module not in declared}
    assert missing == {}
    assert declared - set(imported) == set()


def modules_of(source: bytes) -> set[str]:
    """The top-level modules that a source file imports, without the standard library and labctl itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"labctl"}


def test_an_unpacked_wheel_renders_what_the_checkout_renders(unpacked: Path, templates: Path, tmp_path: Path) -> None:
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    done = run(unpacked, "-C", str(tmp_path), "render", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / '.labctl/Vagrantfile'}\n" in done.stdout
    assert (tmp_path / ".labctl/machines/ingress/programs/labctl/standins/controller/haproxy.cfg.j2").is_file()
    again = run(templates, "-C", str(tmp_path), "render", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, ""), again.stderr


def test_an_unpacked_wheel_says_its_version(unpacked: Path, tmp_path: Path) -> None:
    done = run(unpacked, "--version", cwd=tmp_path)
    assert done.returncode == 0
    assert labctl.__version__ in done.stdout
    where = [sys.executable, "-c", "import labctl; print(labctl.__file__)"]
    environment = {"PYTHONPATH": str(unpacked), "PATH": os.environ["PATH"]}
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(unpacked))
