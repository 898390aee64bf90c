"""The box's own files (scripts, sources, configuration) as they lie in the package."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
FILES = HERE / "files"


def digest_of(parts: Iterable[str | bytes]) -> str:
    """A short hash of parts, in their order; two lists of different parts never run together."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hashed.update(f"{len(data)}:".encode() + data)
    return hashed.hexdigest()[:12]


def files_digest(*names: str) -> str:
    """Hash of files under ``files/``, or of all files of a folder there: their paths and their content."""
    parts: list[str | bytes] = []
    for name in names:
        top = FILES / name
        for path in sorted(p for p in top.rglob("*") if p.is_file()) if top.is_dir() else [top]:
            parts += [path.relative_to(FILES).as_posix(), path.read_bytes()]
    return digest_of(parts)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
            and isinstance(node.body[0].value, ast.Constant)
        ):
            node.body = node.body[1:]
    return tree


def code_digest(*modules: str) -> str:
    """Hash of what modules of this package do: comments, docstrings and layout do not count."""
    sources = ((HERE / f"{module}.py").read_text(encoding="utf-8") for module in modules)
    return digest_of(ast.dump(_without_docstrings(ast.parse(source))) for source in sources)
