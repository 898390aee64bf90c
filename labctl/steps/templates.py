"""The templates: where they are, and a Jinja2 environment for each language that they are written in."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import jinja2

from labctl.errors import LabctlError
from labctl.model.provider import Provider
from labctl.steps.quoting import QuotingError, Raw, bird_symbol, finalizer, without_control

_LANGUAGES = {"Vagrantfile": "rb", "bird.conf": "bird", "hosts": "plain"}
_PACKAGE = Path(__file__).resolve().parent.parent


def templates_folder() -> Path:
    """The folder that holds Vagrantfile.j2 and scripts/: inside an installed package, else the checkout's top level."""
    installed = _PACKAGE / "templates"
    return installed if (installed / "Vagrantfile.j2").is_file() else _PACKAGE.parent


def vagrantfile_template(provider: Provider) -> str:
    """The template of a provider's Vagrantfile: what differs from Vagrantfile.j2, which it extends."""
    return f"providers/{provider.value}/Vagrantfile.j2"


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
        loader=jinja2.FileSystemLoader([folder, _PACKAGE]),  # the package has the providers' Vagrantfile.j2
        undefined=jinja2.StrictUndefined,
        finalize=finalizer(language),
        autoescape=False,  # noqa: S701 - no HTML here; finalize quotes for the language of the file
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["raw"] = _raw
    environment.filters["symbol"] = bird_symbol
    return environment


def _raw(value: object) -> Raw:
    """What a template puts as it is, in a word or a comment. Raises QuotingError for what would end the line."""
    return Raw(without_control(value))
