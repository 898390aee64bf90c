"""Quoting: how a value is written into each language, so that it can never be read as code there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from jinja2.runtime import Undefined

Quote = Callable[[object], str]

_NUMBERS = (int, float, IPv4Address, IPv4Network)
_BIRD_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class QuotingError(ValueError):
    """A value cannot be written into the language at all."""


class Raw(str):
    """Text that is already written in the target language: put as it is."""

    __slots__ = ()


def shell(value: object) -> str:
    """A word of bash; a list becomes several words."""
    if isinstance(value, (list, tuple)):
        return " ".join(shell(item) for item in value)
    return shlex.quote(_text(value))


def ruby(value: object) -> str:
    """A Ruby literal: single-quoted, so that ``#{…}`` is plain text; only backslash and quote are special there."""
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return "'" + _text(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def yaml(value: object) -> str:
    """A YAML scalar or flow collection: JSON, which YAML 1.2 contains."""
    if isinstance(value, (IPv4Address, IPv4Network, Path)):
        value = str(value)
    return json.dumps(value)


def toml(value: object) -> str:
    """A TOML value: JSON's strings, numbers and booleans are TOML's too (toml.io v1.0.0)."""
    return yaml(value)


def systemd(value: object) -> str:
    """A value in a unit file: double-quoted where needed; ``%`` and ``$`` are doubled (systemd.syntax(7))."""
    text = _text(value)
    if re.fullmatch(r"[A-Za-z0-9_./:,=@+-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def environment(value: object) -> str:
    """A value in an EnvironmentFile: double-quoted where needed; no specifiers there (systemd.exec(5))."""
    text = _text(value)
    if re.fullmatch(r"[A-Za-z0-9_./:,=@+-]*", text):
        return text
    return '"' + re.sub(r'([\\"`$])', r"\\\1", text) + '"'


def bird(value: object) -> str:
    """A value in BIRD 2's configuration: numbers, addresses, prefixes and symbols as they are, other text in quotes."""
    text = _text(value)
    if isinstance(value, _NUMBERS) or _BIRD_SYMBOL.fullmatch(text):
        return text
    if '"' in text:
        raise QuotingError(f"BIRD has no way to write a quote inside a string: {text!r}")
    return f'"{text}"'


def plain(value: object) -> str:
    """A word in a file of words (hosts, sysctl.conf): no white space, no comment sign."""
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9_./:,=@+*-]+", text):
        raise QuotingError(f"not a plain word: {text!r}")
    return text


def _text(value: object) -> str:
    text = str(value)
    if isinstance(value, bool):
        text = text.lower()
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise QuotingError(f"control character in {text!r}")
    return text


QUOTES: dict[str, Quote] = {
    "sh": shell,
    "rb": ruby,
    "yaml": yaml,
    "toml": toml,
    "service": systemd,
    "env": environment,
    "default": environment,
    "conf": plain,
    "bird": bird,
    "plain": plain,
}


def finalizer(language: str) -> Callable[[object], object]:
    """What Jinja2 calls on every value that a template prints; undefined ones are left for StrictUndefined."""
    quote = QUOTES[language]

    def finalize(value: object) -> object:
        if isinstance(value, (Undefined, Raw)):
            return value
        return quote(value)

    return finalize
