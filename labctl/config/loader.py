"""Read a lab's labctl.yaml and make the lab's model of it, or say everything that is wrong with it, at once."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from labctl.config.build import build, choose_source
from labctl.config.document import Document, read_document
from labctl.config.meaning import Finding, findings
from labctl.config.problems import FILE_NAME, Mark, Places, Problem, dotted, from_pydantic
from labctl.config.schema import Config, KeyPath
from labctl.errors import ConfigError
from labctl.host.host import Host
from labctl.model.lab import Lab, Provider
from labctl.providers.choose import choose_provider, choose_subnet, is_emulated

MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says in place of labctl.yaml; None: nothing.

    subnet: what labctl chose for this host; a subnet in labctl.yaml goes before it. So does a cache.
    """

    provider: str | None = None
    source: str | None = None
    workers: int | None = None
    subnet: str | None = None
    offline: bool | None = None
    cache: str | None = None


def load(
    directory: Path,
    *,
    overrides: Overrides | None = None,
    choose: Callable[[], Provider] = choose_provider,
    host: Host | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Lab:
    """The lab of a directory. Without a labctl.yaml, or with an empty one, it is the article's lab.

    choose: picks the provider where the configuration leaves it open; called for ``provider: auto`` only.
    host: decides what the configuration leaves open. tell: hears a line where that differs from the usual.
    Raises ConfigError with all problems; HostError if no provider works here.
    """
    host, overrides = host or Host(), overrides or Overrides()
    config = load_config(directory, overrides=overrides)
    provider = choose() if config.provider == "auto" else Provider(config.provider)
    if config.source == "auto" and (config.bgp.bfd or config.network.encapsulation != "none"):
        overrides = replace(overrides, source=choose_source(config, provider).value)  # what only one source can do
        config = load_config(directory, overrides=overrides)
    if "subnet" not in config.network.model_fields_set:
        default = config.network.subnet
        chosen = choose_subnet(provider, default, host)
        if chosen != default:
            tell(f"the lab's subnet is {chosen}: VirtualBox allows no {default} on this host")
            config = load_config(directory, overrides=replace(overrides, subnet=str(chosen)))
    return build(config, provider, emulated=is_emulated(provider, config.emulated, host))


def load_config(directory: Path, *, overrides: Overrides | None = None) -> Config:
    """The checked values of a directory's labctl.yaml. Raises ConfigError with all problems."""
    file = directory / FILE_NAME
    return parse(_read(file), overrides=overrides, where=str(file))


def parse(content: bytes, *, overrides: Overrides | None = None, where: str = FILE_NAME) -> Config:
    """The checked values of the bytes of a labctl.yaml. Raises ConfigError with all problems, in the file's order."""
    if len(content) > MAX_BYTES:
        raise _error([Problem(1, 1, "", "a file that is too large", f"at most {MAX_BYTES // 1024} KiB")], where)
    document = read_document(content)
    _override(document, overrides or Overrides())
    config, wrong = _validate(document.data, document.places)
    problems = [*document.problems, *wrong.values()]
    unsure = set(wrong) | {tuple(problem.key.split(".")) for problem in document.problems}
    problems += [_problem(finding, document.places) for finding in findings(config) if not _touches(finding, unsure)]
    if problems:
        raise _error(problems, where)
    return config


def _read(file: Path) -> bytes:
    """The file's bytes, one more than allowed at most; nothing where there is no file."""
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
    """Put the command line's values in place of the file's."""
    for key in ("provider", "source", "workers"):
        value = getattr(overrides, key)
        if value is not None:
            _put(document, (key,), value)
    for section, key, value in (("network", "subnet", overrides.subnet), ("sources", "cache", overrides.cache)):
        keys = document.data.setdefault(section, {})
        if value is not None and isinstance(keys, dict) and key not in keys:
            _put(document, (section, key), value)
    if overrides.offline is not None and isinstance(document.data["sources"], dict):
        _put(document, ("sources", "offline"), overrides.offline)


def _put(document: Document, path: KeyPath, value: object) -> None:
    section = document.data
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    document.places.marks[path] = Mark(0, 0)
    document.places.texts[path] = str(value)


def _validate(data: dict[str, Any], places: Places) -> tuple[Config, dict[KeyPath, Problem]]:
    """The values that are right, defaults in place of the wrong ones, and the problems of the wrong ones."""
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


def _touches(finding: Finding, unsure: set[KeyPath]) -> bool:
    """Whether a finding follows from a key that is wrong already: then it may be no error at all."""
    return any(path[:length] in unsure for path in finding.about for length in range(1, len(path) + 1))


def _problem(finding: Finding, places: Places) -> Problem:
    mark = places.mark(*finding.about)
    key = next((path for path in finding.about if path in places.marks), finding.about[0])
    return Problem(mark.line, mark.column, dotted(key), finding.found, finding.allowed)


def _error(problems: list[Problem], where: str) -> ConfigError:
    count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    lines = [str(problem) for problem in sorted(problems)]
    return ConfigError(f"{FILE_NAME} has {count}", problems=lines, where=where)
