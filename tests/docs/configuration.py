"""docs/reference/labctl-yaml.md: every key, from the schema."""

from __future__ import annotations

from typing import Any

from markdown import code, plain, table

from labctl.config.schema import Config, section_at

_HEAD = """\
# labctl.yaml

Every key is optional: an empty file, or none, is the article's lab. `labctl init` writes a file in which every key
stands with its default. What is wrong is said all at once, with line, key and what is allowed, and nothing is touched
(exit status 2).

"""


def page() -> str:
    """The page."""
    plain_keys = [_row(name, field) for name, field in Config.model_fields.items() if section_at((name,)) is None]
    parts = [_HEAD, _table(plain_keys)]
    for name, field in Config.model_fields.items():
        section = section_at((name,))
        if section is not None:
            parts += [f"\n## {name}\n\n", f"{field.description}\n\n"]
            parts.append(_table([_row(key, child) for key, child in section.model_fields.items()]))
    return "".join(parts)


def _table(rows: list[tuple[str, ...]]) -> str:
    return table(("key", "default", "allowed", "meaning"), rows)


def _row(name: str, field: Any) -> tuple[str, ...]:
    default = "" if field.default is None else code(str(field.default))
    return (code(name), default, plain(field.json_schema_extra["allowed"]), plain(field.description))
