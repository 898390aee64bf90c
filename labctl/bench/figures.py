"""What a measurement found: tables for people, the same as data for programs, and the conditions it was made under."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from labctl.bench.conditions import Conditions
from labctl.bench.statistics import Spread


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text. The first column names what a row is about."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement's result. name: the bench command's. notes: sentences on how it was measured and what it says.

    data: the values behind the tables, for --output json.
    """

    name: str
    title: str
    conditions: Conditions
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def shown(found: Spread, unit: str = "", *, digits: int = 3) -> str:
    """A spread as text: the median, and in brackets the lowest and highest where there was more than one value."""
    tail = f" {unit}" if unit else ""
    if found.count == 1:
        return f"{number(found.median, digits)}{tail}"
    return f"{number(found.median, digits)}{tail} ({number(found.low, digits)}-{number(found.high, digits)})"


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, written out; the digits before the point are all kept."""
    if value == 0:
        return "0"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if whole:
        return f"{value:,.{max(0, digits - whole)}f}".replace(",", " ")
    return f"{value:.{digits}g}"
