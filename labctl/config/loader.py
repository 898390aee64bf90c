"""Read a directory's labctl.yaml, or raise one error with everything that is wrong with it."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from labctl.config.consistency import Conflict, conflicts
from labctl.config.document import Document, read_document
from labctl.config.keys import KeyPath
from labctl.config.overrides import Overrides
from labctl.config.problems import FILE_NAME, Mark, Places, Problem, dotted, from_pydantic
from labctl.config.schema import Config
from labctl.errors import ConfigError

MAX_BYTES = 256 * 1024
Decide = Callable[[Config], Config]


def load_config(directory: Path, *, overrides: Overrides | None = None, decide: Decide | None = None) -> Config:
    """The checked values of a directory's labctl.yaml. Raises ConfigError with all problems.

    decide: fills in what the file leaves open, before values are checked against each other.
    """
    file = directory / FILE_NAME
    return parse(_read(file), overrides=overrides, where=str(file), decide=decide)


def parse(
    content: bytes, *, overrides: Overrides | None = None, where: str = FILE_NAME, decide: Decide | None = None
) -> Config:
    """The checked values of the bytes of a labctl.yaml. Raises ConfigError with all problems, in the file's order."""
    if len(content) > MAX_BYTES:
        raise _error([Problem(1, 1, "", "a file that is too large", f"at most {MAX_BYTES // 1024} KiB")], where)
    document = read_document(content)
    _override(document, overrides or Overrides())
    config, wrong = _validate(document.data, document.places)
    problems = [*document.problems, *wrong.values()]
    if decide and not problems:
        config = decide(config)
    wrong_keys = set(wrong) | {tuple(problem.key.split(".")) for problem in document.problems}
    problems += [
        _problem(found, document.places) for found in conflicts(config) if not _follows_from(found, wrong_keys)
    ]
    if problems:
        raise _error(problems, where)
    return config


def _read(file: Path) -> bytes:
    """The file's bytes, at most one more than allowed; nothing if there is no file."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise _error([Problem(1, 1, "", "something that is not a file", "a text file")], str(file))
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        if not file.is_symlink():
            return b""
        problem = Problem(1, 1, "", "a symbolic link to a file that does not exist", "a text file, or none")
        raise _error([problem], str(file)) from error
    except OSError as error:
        raise ConfigError(f"{FILE_NAME} can't be read: {error.strerror}", where=str(file)) from error


def _override(document: Document, overrides: Overrides) -> None:
    """Put overrides in place of the file's values; they have line 0."""
    for path, value, only_if_unset in overrides.items():
        section = document.data
        for key in path[:-1]:
            section = section.setdefault(key, {}) if isinstance(section, dict) else section
        if not isinstance(section, dict) or (only_if_unset and path[-1] in section):
            continue
        section[path[-1]] = value
        document.places.marks[path] = Mark(0, 0)
        document.places.texts[path] = str(value)


def _validate(data: dict[str, Any], places: Places) -> tuple[Config, dict[KeyPath, Problem]]:
    """The values that are right, with defaults in place of wrong ones, and the problems of the wrong ones."""
    try:
        return Config.model_validate(data), {}
    except ValidationError as error:
        wrong = from_pydantic(error, places)
    for path in wrong:
        _remove(data, path)
    return Config.model_validate(data), wrong


def _remove(data: dict[str, Any], path: KeyPath) -> None:
    for key in path[:-1]:
        data = data[key]
    data.pop(path[-1], None)


def _follows_from(conflict: Conflict, wrong: set[KeyPath]) -> bool:
    """Whether a conflict involves a key that is wrong anyway: then it may be no conflict at all."""
    return any(path[:length] in wrong for path in conflict.keys for length in range(1, len(path) + 1))


def _problem(conflict: Conflict, places: Places) -> Problem:
    mark = places.mark(*conflict.keys)
    key = next((path for path in conflict.keys if path in places.marks), conflict.keys[0])
    return Problem(mark.line, mark.column, dotted(key), conflict.found, conflict.allowed)


def _error(problems: list[Problem], where: str) -> ConfigError:
    count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    lines = [str(problem) for problem in sorted(problems)]
    return ConfigError(f"{FILE_NAME} has {count}", problems=lines, where=where)
