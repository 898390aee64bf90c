"""docs/reference/labctl-yaml.md: every key, from the schema."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from labctl.config.keys import allowed, default, section_at
from labctl.config.schema import Config
from tools.reference.markdown import code, plain, table

_HEAD = """\
# labctl.yaml

Every key is optional: without a labctl.yaml, or with an empty one, you get the article's lab. `labctl init` writes a
commented file with every key. If something is wrong, labctl reports all errors at once, with the line, the key and what
is allowed, and changes nothing (exit status 2).

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


def _row(name: str, field: FieldInfo) -> tuple[str, ...]:
    words, fixed = default(field)
    return code(name), code(words) if fixed else plain(words), plain(allowed(field)), plain(field.description or "")
