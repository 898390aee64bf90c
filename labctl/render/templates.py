"""The templates: where they are, and a Jinja2 environment for each language that they are written in."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import jinja2

from labctl.errors import LabctlError
from labctl.render.quoting import QuotingError, Raw, finalizer

_LANGUAGES = {"Vagrantfile": "rb", "bird.conf": "bird", "hosts": "plain"}


def templates_folder() -> Path:
    """The folder that holds Vagrantfile.j2 and scripts/: inside an installed package, else the checkout's top level."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "templates"
    return installed if (installed / "Vagrantfile.j2").is_file() else package.parent


def render_template(folder: Path, name: str, values: dict[str, object]) -> str:
    """The text of one template, every printed value quoted for the template's language.

    Raises LabctlError for an undefined variable or a value that the language cannot hold.
    """
    try:
        return _environment(folder, _language(name)).get_template(name).render(values)
    except (jinja2.TemplateError, QuotingError) as error:
        raise LabctlError(f"{name} cannot be rendered", where=name, why=str(error)) from error


def _language(name: str) -> str:
    file = Path(name).name.removesuffix(".j2")
    return _LANGUAGES.get(file) or Path(file).suffix.removeprefix(".") or "plain"


@lru_cache(maxsize=32)
def _environment(folder: Path, language: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        finalize=finalizer(language),
        autoescape=False,  # noqa: S701 - no HTML here; finalize quotes for the language of the file
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["raw"] = Raw
    environment.filters["symbol"] = _symbol
    return environment


def _symbol(name: str) -> str:
    """A name that BIRD takes as a symbol (BIRD 2 user's guide, "Configuration file"); any other is a QuotingError."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise QuotingError(f"not a BIRD symbol: {name!r}")
    return name
