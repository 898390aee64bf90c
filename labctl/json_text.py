"""JSON that a program printed, or that lies in a file: anything may be in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

Read = TypeVar("Read")


def read_json(text: str | bytes) -> Any:
    """What the text says. Raises ValueError, whatever is wrong with it: also where it is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def read_objects(text: str) -> list[dict[str, Any]]:
    """The objects of a list; nothing where the text is empty. Raises ValueError for anything else."""
    found = read_json(text) if text.strip() else []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError("no list of objects")
    return found


def read_as(read: Callable[[dict[str, Any]], Read], item: dict[str, Any]) -> Read:
    """What ``read`` makes of an object. Raises ValueError where the object is of another shape."""
    try:
        return read(item)
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"an object of another shape: {type(error).__name__}: {error}") from error
