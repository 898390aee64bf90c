"""Everything that labctl renders, as a mapping from path to content. Nothing is written here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from labctl.model.lab import Internet, Lab, Machine, Source
from labctl.steps.catalogue import MACHINES
from labctl.steps.plan import Task, make_plan
from labctl.steps.templates import render_template, templates_folder, vagrantfile_template
from labctl.steps.values import lab_values, machine_values

# What runs on the machines: the stand-ins and the few modules that they share with labctl itself.
_MODELS = ("__init__.py", "blocks.py", "calico.py", "ingresses.py", "kubernetes.py", "selector.py")
_FACTS = ("__init__.py", "fact.py", "birdc.py")
_PROGRAMS = ("__init__.py", *(f"model/{name}" for name in _MODELS), *(f"facts/{name}" for name in _FACTS), "standins")
_PROGRAM_SUFFIXES = {".py", ".j2", ".yaml", ".service", ".sh"}


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A rendered file. mode: permission bits."""

    content: bytes
    mode: int = 0o644


Tree = dict[PurePosixPath, RenderedFile]


def render_tree(lab: Lab, *, join_hash: str, box_file: Path | None, internet: Internet | None = None) -> Tree:
    """All files of .labctl/ except secrets and state. Same input, same bytes.

    Raises LabctlError if a template uses an undefined variable or a value does not fit its language.
    """
    folder = templates_folder()
    values = lab_values(lab, box_file=box_file)
    tree: Tree = {
        PurePosixPath("Vagrantfile"): _text(render_template(folder, vagrantfile_template(lab.provider), values)),
        PurePosixPath("host/prepare.sh"): _text(render_template(folder, "scripts/host/prepare.sh.j2", values), 0o755),
        PurePosixPath("keys.sh"): _text(render_template(folder, "scripts/keys.sh.j2", values), 0o755),
        PurePosixPath("lab.json"): _text(json.dumps(asdict(lab), default=str, indent=2) + "\n"),
    }
    for machine in lab.machines:
        for path, file in machine_tree(lab, machine, join_hash=join_hash, internet=internet).items():
            tree[PurePosixPath("machines", machine.name) / path] = file
    return tree


def machine_tree(lab: Lab, machine: Machine, *, join_hash: str, internet: Internet | None = None) -> Tree:
    """The files that are copied to one machine: ``run``, ``steps/``, ``files/`` and what they need."""
    folder = templates_folder()
    values = machine_values(lab, machine, join_hash=join_hash, internet=internet or Internet())
    tree: Tree = {}
    digests: list[str] = []
    programs = _programs() if lab.source is Source.DEBIAN else {}
    for task in make_plan(lab).for_machine(machine.name):
        if task.step.name == MACHINES:
            continue
        step_tree = _step_tree(folder, lab, task, values)
        tree.update(step_tree)
        watched = {**step_tree, **programs} if task.step.name in _STEPS_WITH_PROGRAMS else step_tree
        digests.append(f"{task.step.name} {_digest(watched)}\n")
    tree.update(programs)
    tree[PurePosixPath("run")] = _text(render_template(folder, "scripts/run.sh.j2", values), 0o755)
    tree[PurePosixPath("digests")] = _text("".join(digests))
    return tree


# A changed program is copied by base, and the steps that start programs start them again.
_STEPS_WITH_PROGRAMS = frozenset({"base", "calico", "controller"})


# A proxy's address may hold a password.
_PRIVATE = frozenset({"proxy.env"})


def _step_tree(folder: Path, lab: Lab, task: Task, values: dict[str, object]) -> Tree:
    step = task.step
    tree: Tree = {PurePosixPath("functions.sh"): _text(render_template(folder, "scripts/functions.sh.j2", values))}
    for script in (f"{step.name}.sh", f"{step.name}.check.sh"):
        template = _find(folder, lab, f"{script}.j2")
        tree[PurePosixPath("steps", script)] = _text(render_template(folder, template, values), 0o755)
    for file in step.files_for(lab.source):
        template = _find(folder, lab, f"files/{file}.j2")
        mode = 0o600 if file in _PRIVATE else 0o644
        tree[PurePosixPath("files", file)] = _text(render_template(folder, template, values), mode)
    return tree


def _find(folder: Path, lab: Lab, name: str) -> str:
    """The source's own template where it has one, else the one that both sources share."""
    own = f"scripts/{lab.source.value}/{name}"
    return own if (folder / own).is_file() else f"scripts/{name}"


def _programs() -> Tree:
    package = Path(__file__).resolve().parent.parent
    tree: Tree = {}
    for entry in _PROGRAMS:
        path = package / entry
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in _PROGRAM_SUFFIXES and "__pycache__" not in file.parts:
                target = PurePosixPath("programs/labctl", *file.relative_to(package).parts)
                # A checkout on Windows may have CRLF, with which the first line of the CNI plugin names no interpreter.
                tree[target] = RenderedFile(file.read_bytes().replace(b"\r\n", b"\n"))
    return tree


def _digest(tree: Tree) -> str:
    digest = hashlib.sha256()
    for path in sorted(tree):
        file = tree[path]
        digest.update(f"{path}\0{file.mode:o}\0{len(file.content)}\0".encode())
        digest.update(file.content)
    return digest.hexdigest()[:32]


def _text(text: str, mode: int = 0o644) -> RenderedFile:
    return RenderedFile(text.encode(), mode)
