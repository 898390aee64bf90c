"""Look-ups in the schema of labctl.yaml: which keys there are, and what is allowed, default and meaning of each."""

from __future__ import annotations

from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from labctl.config.schema import Config

KeyPath = tuple[str, ...]


def section_at(path: KeyPath) -> type[BaseModel] | None:
    """The section at a key path; None if the path is a plain key or unknown."""
    section: type[BaseModel] = Config
    for key in path:
        field = section.model_fields.get(key)
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return None
        section = kind
    return section


def field_at(path: KeyPath) -> FieldInfo | None:
    """The field at a key path; None if the path is unknown."""
    parent = section_at(path[:-1]) if path else None
    return parent.model_fields.get(path[-1]) if parent else None


def allowed_at(path: KeyPath) -> str:
    """What is allowed at a key path; empty if the path is unknown."""
    field = field_at(path)
    return allowed(field) if field else ""


def allowed(field: FieldInfo) -> str:
    """What is allowed as the value of a key, as errors say it."""
    if given := _extra(field, "allowed"):
        return given
    kinds = get_args(field.annotation) or (field.annotation,)
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(map(str, kinds))
    if bool in kinds:
        return "true or false"
    low = next(limit.ge for limit in field.metadata if hasattr(limit, "ge"))
    high = next(limit.le for limit in field.metadata if hasattr(limit, "le"))
    return f"{'a whole number' if int in kinds else 'a number'} from {low} to {high}"


def default(field: FieldInfo) -> tuple[str, bool]:
    """The default of a key, and whether it is a value as labctl.yaml has it (otherwise it is a description)."""
    if field.default is None:
        return _extra(field, "computed"), False
    return (str(field.default).lower() if isinstance(field.default, bool) else str(field.default)), True


def example(field: FieldInfo) -> str:
    """A value of a key as labctl.yaml has it: the default, or an example if there is no fixed default."""
    value, fixed = default(field)
    return value if fixed else _extra(field, "example")


def _extra(field: FieldInfo, name: str) -> str:
    extra = field.json_schema_extra
    return str(extra.get(name, "")) if isinstance(extra, dict) else ""


def all_keys() -> tuple[KeyPath, ...]:
    """Every key path of labctl.yaml, sections included, in the order of the schema."""
    paths: list[KeyPath] = []
    for name in Config.model_fields:
        paths.append((name,))
        section = section_at((name,))
        if section is not None:
            paths += [(name, key) for key in section.model_fields]
    return tuple(paths)
