"""Errors in a labctl.yaml: one object per error, with line, key, what is allowed and what was probably meant."""

from __future__ import annotations

import difflib
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from labctl.config.keys import KeyPath, all_keys, allowed_at, section_at
from labctl.config.schema import Config

FILE_NAME = "labctl.yaml"
_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file, counted from 1. Line 0: the command line, not the file."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error. key: dotted key path, empty for the file as a whole. suggestion: what was probably meant."""

    line: int
    column: int
    key: str
    found: str
    allowed: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"{FILE_NAME}:{self.line}" if self.line else "command line"
        parts = [f"{place}: {self.key}: {self.found}" if self.key else f"{place}: {self.found}"]
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.suggestion:
            parts.append(f"did you mean {self.suggestion}?")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Places:
    """Where keys stand, and how their values look in the file. Keys given on the command line have line 0."""

    marks: dict[KeyPath, Mark] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)

    def mark(self, *paths: KeyPath) -> Mark:
        """The place of the first of these paths that the file has, or of its nearest parent; else the first line."""
        for path in paths:
            if path in self.marks:
                return self.marks[path]
        for path in paths:
            if path[:-1] in self.marks:
                return self.marks[path[:-1]]
        return Mark(1, 1)

    def text(self, path: KeyPath, default: object = "") -> str:
        """The value at a path as the file has it."""
        return self.texts.get(path, str(default))


def from_pydantic(error: ValidationError, places: Places) -> dict[KeyPath, Problem]:
    """Pydantic's errors as problems, one per key path."""
    problems: dict[KeyPath, Problem] = {}
    for details in error.errors():
        path = _known_path(details)
        mark = places.mark(path)
        if details["type"] == "extra_forbidden":
            found, allowed = "unknown key", ", ".join(_keys_in(path[:-1]))
            suggestion = _closest_key(path)
        else:
            found, allowed = places.text(path), allowed_at(path)
            if details["type"] == "string_type" and isinstance(details["input"], int | float):
                found += " without quotes, which is not text"
            suggestion = _better_value(path, details["input"]) or _closest_word(path, details["input"])
        problems.setdefault(path, Problem(mark.line, mark.column, dotted(path), found, allowed, suggestion))
    return problems


def dotted(path: KeyPath) -> str:
    """A key path as it is printed: keys joined by dots."""
    return ".".join(shown(key) for key in path)


def _closest_key(path: KeyPath) -> str:
    """The known key that an unknown one was probably meant to be: in the same section first, else anywhere."""
    wanted = path[-1].lower().replace("-", "_")
    here = difflib.get_close_matches(wanted, _keys_in(path[:-1]), n=1)
    if here:
        return here[0]
    everywhere = {known[-1]: dotted(known) for known in reversed(all_keys())}
    other = difflib.get_close_matches(wanted, list(everywhere), n=1)
    return everywhere[other[0]] if other else ""


def _keys_in(path: KeyPath) -> list[str]:
    section = section_at(path)
    return list(section.model_fields) if section else []


def _better_value(path: KeyPath, value: object) -> str:
    """The valid value that was probably meant: in lower case, without v, without host bits."""
    if not isinstance(value, str) or len(value) > _MAX_SHOWN:
        return ""
    candidates = [value.lower().replace("_", "-"), value.removeprefix("v")]
    if "/" in value:
        with suppress(ValueError):
            candidates.append(str(IPv4Network(value, strict=False)))
    return next((candidate for candidate in candidates if candidate != value and _is_valid(path, candidate)), "")


def _is_valid(path: KeyPath, value: str) -> bool:
    data: Any = value
    for key in reversed(path):
        data = {key: data}
    try:
        Config.model_validate(data)
    except ValidationError:
        return False
    return True


def _closest_word(path: KeyPath, value: object) -> str:
    """For a key that takes one of a few words: the word that was probably meant."""
    words = allowed_at(path).removeprefix("one of ").split(", ")
    if len(words) == 1 or not isinstance(value, str):
        return ""
    return next(iter(difflib.get_close_matches(value.lower(), words, n=1)), "")


def _known_path(details: ErrorDetails) -> KeyPath:
    """The key path of an error; pydantic adds names of its own below a key, which are no keys of the file."""
    path = tuple(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return path
    while len(path) > 1 and not allowed_at(path):
        path = path[:-1]
    return path


def shown(text: str) -> str:
    """Text of unknown origin in one line for a terminal: unprintable characters are escaped, long text is cut."""
    if len(text) > _MAX_SHOWN:
        text = text[: _MAX_SHOWN - 1] + "…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def quoted(text: str) -> str:
    """The same in double quotes."""
    return f'"{shown(text)}"'
