"""An Ansible project that brings a class up on several servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from labctl import __version__
from labctl.config.problems import FILE_NAME
from labctl.host.files import write_atomically
from labctl.text import read_json

SERVERS, PLAYBOOK = "servers.ini", "class.yml"
_OWN = Path(__file__).parent / "ansible"
VARIABLES = "group_vars/all.yml"
ROOTS_BOXES = PurePosixPath("/root/.cache/labctl/boxes")
"""Where servers keep boxes: a box's files contain this path, so only a box from there can be copied."""
_HEAD = "# Written by `labctl class playbook`, as labctl is installed on this machine. Run it again after an update.\n"


def write_project(folder: Path, labctl_yaml: bytes, box: Path | None) -> list[Path]:
    """Write the project; returns the files that changed. The user's servers.ini stays, if there is one.

    labctl_yaml: describes the class. box: the box's folder on this host, if it is built.
    """
    contents = {name: (_OWN / name).read_bytes() for name in ("ansible.cfg", PLAYBOOK, SERVERS)}
    contents |= {FILE_NAME: labctl_yaml, VARIABLES: (_HEAD + _as_yaml(variables(box))).encode()}
    if (folder / SERVERS).exists():
        del contents[SERVERS]
    changed = []
    for name, content in contents.items():
        file = folder / name
        if not file.is_file() or file.read_bytes() != content:
            write_atomically(file, content)
            changed.append(file)
    for wheel in (folder / "files").glob("labctl-*.whl"):  # built from code that may be older by now
        wheel.unlink()
    return changed


def variables(box: Path | None) -> dict[str, str]:
    """What the playbook has to know of this host."""
    can_copy = box is not None and box.parent == Path(ROOTS_BOXES)
    return {
        "labctl_package": _package(),
        "labctl_wheel": f"labctl-{__version__}-py3-none-any.whl",
        "labctl_python": sys.executable,
        "labctl_boxes": str(ROOTS_BOXES),
        "labctl_box": box.name if box is not None and can_copy else "",
    }


def _package() -> str:
    """What pip installed labctl from: a folder, a file, or a version from an index (PEP 610)."""
    try:
        origin = distribution("labctl").read_text("direct_url.json")
    except PackageNotFoundError:
        origin = None
    if origin is None:
        return f"labctl=={__version__}"
    url = urlsplit(str(read_json(origin)["url"]))
    return unquote(url.path) if url.scheme == "file" else url.geturl()


def _as_yaml(values: Mapping[str, str]) -> str:
    """JSON's strings are YAML's, too."""
    return "---\n" + "".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items())
