"""The commented labctl.yaml that ``labctl init`` writes: made from the schema, so that it can't fall behind it."""

from __future__ import annotations

import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from labctl.config.schema import Config, section_at

_WIDTH = 100
_HEAD = """\
# labctl.yaml describes the lab. Every key is optional: an empty file is the lab of the article.
# What stands behind a # is the default; take the # away and change the value.
"""
# Examples for keys that have no default of their own.
_EXAMPLES = {
    "emulated": "false",
    "ingress_as_number": 65000,
    "vip": "192.168.50.20",
    "kubernetes": '"1.34"',
    "calico": '"3.32.1"',
    "controller": '"3.2.11"',
    "haproxy": '"3.2"',
    "name": "bento/debian-13",
    "version": "202510.26.0",
    "memory": 2048,
    "cpus": 1.5,
    "at_once": 2,
    "cache": "http://cache.example.org:8080",
    **{
        key: "https://mirror.example.org/" + key
        for key in (
            *("sources.kubernetes", "sources.calico", "sources.controller", "sources.haproxy", "sources.images"),
            *("sources.distribution", "sources.boxes"),
        )
    },
    "mirror": "http://deb.debian.org/debian",
}


def init_text() -> str:
    """The text of a labctl.yaml with every key, its meaning and its default; loading it gives the default lab."""
    parts = [_HEAD]
    for name, field in Config.model_fields.items():
        section = section_at((name,))
        parts.append(_key(name, field, indent="") if section is None else _section(name, field, section))
    return "\n".join(parts)


def _section(name: str, field: FieldInfo, section: type[BaseModel]) -> str:
    keys = "".join(_key(key, child, indent="  ", section=f"{name}.") for key, child in section.model_fields.items())
    return f"{_comment(field.description, '')}{name}:\n{keys}"


def _key(name: str, field: FieldInfo, indent: str, section: str = "") -> str:
    value = field.default if field.default is not None else _EXAMPLES.get(section + name, _EXAMPLES.get(name))
    return f"{_comment(_meaning(field), indent)}{indent}#{name}: {value}\n"


def _meaning(field: FieldInfo) -> str:
    extra: Any = field.json_schema_extra
    return f"{field.description} Allowed: {extra['allowed']}."


def _comment(text: str | None, indent: str) -> str:
    lines = textwrap.wrap(text or "", _WIDTH - len(indent), break_on_hyphens=False)
    return "".join(f"{indent}# {line}\n" for line in lines)
