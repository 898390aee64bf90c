"""Text from outside: JSON that a program or a file contains, and control characters that must not reach a terminal."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """The value that the text contains. Raises ValueError for any invalid text, also if it is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def printable(text: str, *, allowed: str = "") -> str:
    """The text with a question mark for each character that is neither printable nor allowed. Its length stays.

    Newlines and tabs are control characters, too.
    """
    return "".join(char if char.isprintable() or char in allowed else "?" for char in text)
