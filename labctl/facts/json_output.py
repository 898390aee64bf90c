"""JSON that a program printed: anything may be in it, and whatever is not as expected is a ParseError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from labctl import text as any_text
from labctl.facts.fact import ParseError

Read = TypeVar("Read")


def read_json(text: str) -> Any:
    """What the text says. Raises ParseError."""
    try:
        return any_text.read_json(text)
    except ValueError as error:
        raise ParseError(f"not JSON: {error}") from error


def read_objects(text: str) -> list[dict[str, Any]]:
    """The objects of a list; nothing where the text is empty. Raises ParseError for anything else."""
    found = read_json(text) if text.strip() else []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ParseError("not a list of objects")
    return found


def read_as(read: Callable[[dict[str, Any]], Read], item: dict[str, Any]) -> Read:
    """What ``read`` makes of an object. Raises ParseError where the object has another shape.

    ``read`` only picks fields and converts them: any error in it is taken for the object's.
    """
    try:
        return read(item)
    except (TypeError, LookupError, AttributeError, ValueError) as error:
        raise ParseError(f"an object of another shape: {type(error).__name__}: {error}") from error
