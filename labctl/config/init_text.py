"""The commented labctl.yaml that ``labctl init`` writes, generated from the schema."""

from __future__ import annotations

import textwrap

from pydantic.fields import FieldInfo

from labctl.config.keys import allowed, default, example, section_at
from labctl.config.schema import Config

_WIDTH = 100
_HEAD = """\
# labctl.yaml describes the lab. Every key is optional: an empty file is the lab of the article.
# The commented values are the defaults, or examples if the text names another default.
"""


def init_text() -> str:
    """The text of a labctl.yaml with every key, its meaning and its default; loading it gives the default lab."""
    parts = [_HEAD]
    for name, field in Config.model_fields.items():
        section = section_at((name,))
        if section is None:
            parts.append(_key(name, field, indent=""))
        else:
            keys = (_key(key, child, indent="  ") for key, child in section.model_fields.items())
            parts.append(f"{_comment(field.description or '', '')}{name}:\n{''.join(keys)}")
    return "\n".join(parts)


def _key(name: str, field: FieldInfo, indent: str) -> str:
    words, fixed = default(field)
    text = f"{field.description}{'' if fixed else f' Default: {words}.'} Allowed: {allowed(field)}."
    return f"{_comment(text, indent)}{indent}#{name}: {example(field)}\n"


def _comment(text: str, indent: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - len(indent), break_on_hyphens=False)
    return "".join(f"{indent}# {line}\n" for line in lines)
