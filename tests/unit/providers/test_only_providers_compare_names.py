"""Outside labctl/providers nothing is decided by a provider's name: code asks for a trait, or the provider itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labctl
from labctl.model.provider import Provider

PACKAGE = Path(labctl.__file__).parent
TOP = PACKAGE.parent
NAMES = {provider.value for provider in Provider}
# The one table of traits, and what knows the providers from within.
ALLOWED = (PACKAGE / "providers", PACKAGE / "model" / "provider.py")
MODULES = [
    file for file in sorted(PACKAGE.rglob("*.py")) if not any(file.is_relative_to(allowed) for allowed in ALLOWED)
]
TEMPLATES = [TOP / "Vagrantfile.j2", *sorted((TOP / "scripts").rglob("*.j2"))]


def names_a_provider(node: ast.AST) -> bool:
    """``Provider.LXC``, ``"lxc"``, or a set, list or tuple with one of them in it."""
    if isinstance(node, ast.Set | ast.List | ast.Tuple):
        return any(map(names_a_provider, node.elts))
    if isinstance(node, ast.Constant):
        return node.value in NAMES
    while isinstance(node, ast.Attribute):
        if node.attr in Provider.__members__ and isinstance(node.value, ast.Name) and node.value.id == "Provider":
            return True
        node = node.value
    return False


def decisions(source: str) -> Iterator[int]:
    """The lines that compare something with a provider's name, or look something up by one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            sides = [key for key in node.keys if isinstance(key, ast.Attribute)]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        else:
            continue
        if any(map(names_a_provider, sides)):
            yield node.lineno


@pytest.mark.parametrize(
    "source",
    [
        "if lab.provider is Provider.LXC: pass",
        "x = 1 if lab.provider.value == 'lxc' else 2",
        "if config.provider not in {'virtualbox', 'libvirt'}: pass",
        "table = {Provider.LXC: 1}[lab.provider]",
        "match provider:\n    case 'lxc': pass",
    ],
)
def test_a_decision_by_name_is_found(source: str) -> None:
    assert list(decisions(source))


def test_code_outside_providers_decides_nothing_by_a_provider_s_name() -> None:
    assert len(MODULES) > 100
    found = [
        f"{file.relative_to(TOP)}:{line}" for file in MODULES for line in decisions(file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_templates_decide_nothing_by_a_provider_s_name() -> None:
    compared = re.compile(rf"{{%.*['\"](?:{'|'.join(NAMES)})['\"]")
    assert len(TEMPLATES) > 20
    found = [
        f"{file.relative_to(TOP)}:{number}"
        for file in TEMPLATES
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if compared.search(line)
    ]
    assert found == []
