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
# No language here has a plain way to write control characters; no file can hold half of a surrogate pair; and systemd
# reads no file that holds a noncharacter (systemd v252, src/basic/utf8.c).
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(chr(n) + chr(n + 1) for n in range(0xFFFE, 0x110000, 0x10000))
_UNWRITABLE = re.compile(f"[\x00-\x1f\x7f\ud800-\udfff{_NONCHARACTERS}]")
# One escape of JSON, or two that are the halves of a character beyond U+FFFF.
_ESCAPES = re.compile(r"(\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.)")


class QuotingError(ValueError):
    """A value cannot be written into the language at all."""


class Raw(str):
    """Text that is already written in the target language: put as it is."""

    __slots__ = ()


def shell(value: object) -> str:
    """A word of bash; a list becomes several words."""
    if isinstance(value, (list, tuple)):
        return " ".join(shell(item) for item in value)
    return shlex.quote(without_control(value))


def ruby(value: object) -> str:
    """A Ruby literal: single-quoted, so that ``#{…}`` is plain text; only backslash and quote are special there."""
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return "'" + without_control(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def yaml(value: object) -> str:
    """A YAML scalar or flow collection: JSON, which YAML 1.2 contains, with YAML's own escape beyond U+FFFF."""
    if isinstance(value, (IPv4Address, IPv4Network, Path)):
        value = str(value)
    return "".join(map(_one_escape, _ESCAPES.split(json.dumps(value))))


def toml(value: object) -> str:
    """A TOML value: JSON's strings, numbers and booleans are TOML's too (toml.io v1.0.0)."""
    if value is None:
        raise QuotingError("TOML has no null")
    return yaml(value)


def systemd(value: object) -> str:
    """A word of a unit's command line: double-quoted where needed; ``%`` and ``$`` are doubled (systemd.syntax(7))."""
    text = without_control(value)
    if re.fullmatch(r"[A-Za-z0-9_./:,=@+-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def environment(value: object) -> str:
    """A value in an EnvironmentFile: double-quoted where needed; no specifiers there (systemd.exec(5))."""
    text = without_control(value)
    if re.fullmatch(r"[A-Za-z0-9_./:,=@+-]*", text):
        return text
    return '"' + re.sub(r'([\\"`$])', r"\\\1", text) + '"'


def bird(value: object) -> str:
    """A value in BIRD 2's configuration: numbers, addresses and prefixes as they are, text in quotes."""
    text = without_control(value)
    if isinstance(value, _NUMBERS):
        return text
    if '"' in text:
        raise QuotingError(f"BIRD has no way to write a quote inside a string: {text!r}")
    return f'"{text}"'


def bird_symbol(name: str) -> Raw:
    """A name in BIRD 2's configuration (BIRD 2 user's guide, "Configuration file"). Raises QuotingError for others."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise QuotingError(f"not a BIRD symbol: {name!r}")
    return Raw(name)


def plain(value: object) -> str:
    """A word in a file of words (hosts, sysctl.conf): no white space, no comment sign."""
    text = without_control(value)
    if not re.fullmatch(r"[A-Za-z0-9_./:,=@+*-]+", text):
        raise QuotingError(f"not a plain word: {text!r}")
    return text


def without_control(value: object) -> str:
    """The value as text. Raises QuotingError for text that no language here can hold as it is."""
    text = str(value)
    if isinstance(value, bool):
        text = text.lower()
    if _UNWRITABLE.search(text):
        raise QuotingError(f"not writable as text: {text!r}")
    return text


def _one_escape(part: str) -> str:
    """JSON's escape as YAML and TOML have it: one for a character beyond U+FFFF; half of one is refused."""
    if not part.startswith("\\u"):
        return part
    character = json.loads(f'"{part}"')
    if "\ud800" <= character <= "\udfff":
        raise QuotingError(f"half of a surrogate pair: {part}")
    return part if len(part) == 6 else f"\\U{ord(character):08x}"


QUOTES: dict[str, Quote] = {
    "sh": shell,
    "rb": ruby,
    "yaml": yaml,
    "cfg": yaml,
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
