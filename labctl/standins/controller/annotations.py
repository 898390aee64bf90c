"""The annotations that the stand-in knows, checked, and what they mean for a backend.

Names, defaults and order of precedence (Service, then Ingress, then ConfigMap) are the real controller's
(pkg/annotations/common, v3.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

DEFAULTS: Mapping[str, str] = {
    "check": "true",
    "check-interval": "",
    "forwarded-for": "true",
    "load-balance": "roundrobin",
    "scale-server-slots": "42",
}

_TRUE = frozenset({"1", "t", "true", "enabled", "on"})
_FALSE = frozenset({"0", "f", "false", "disabled", "off"})
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "": 1}
_TIME = re.compile(r"([0-9]{1,9})(ms|s|m|h|d|)")
_BALANCE = re.compile(
    r"roundrobin|static-rr|leastconn|first|source|uri|random(?:\([1-9][0-9]{0,2}\))?"
    r"|hdr\([A-Za-z0-9-]{1,64}\)|url_param [A-Za-z0-9_.-]{1,64}"
)
_MAX_SLOTS = 4096
_MAX_TIME = 2**31 - 1  # HAProxy's own limit of a time in milliseconds

# The controller takes an annotation's name without these (pkg/store/convert.go); a ConfigMap's keys have none.
_PREFIXES = ("haproxy.org/", "ingress.kubernetes.io/", "haproxy.com/")

Sources = Sequence[Mapping[str, str]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """How a backend treats its servers. check_interval: milliseconds, 0 for HAProxy's own. slots: added at a time."""

    check: bool
    check_interval: int
    forwarded_for: bool
    balance: str
    slots: int


def controller_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """The annotations that are for the controller, by their names without prefix."""
    found = {}
    for name, value in annotations.items():
        prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
        if prefix:
            found[name.removeprefix(prefix)] = value
    return found


def backend_options(sources: Sources) -> tuple[BackendOptions, tuple[str, ...]]:
    """The options that the first source with each key decides, and which values were refused and why."""
    problems: list[str] = []

    def value(name: str, convert: Callable[[str], T]) -> T:
        text = next((source[name] for source in sources if name in source), DEFAULTS[name])
        try:
            return convert(text)
        except ValueError as error:
            problems.append(f"annotation '{name}': {error}; using {DEFAULTS[name] or 'the default'}")
            return convert(DEFAULTS[name])

    options = BackendOptions(
        check=value("check", _boolean),
        check_interval=value("check-interval", _milliseconds),
        forwarded_for=value("forwarded-for", _boolean),
        balance=value("load-balance", _balance),
        slots=value("scale-server-slots", _slots),
    )
    return options, tuple(problems)


def unknown_annotations(source: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that the stand-in does not know; the real controller may know them."""
    return tuple(sorted(set(source) - set(DEFAULTS)))


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def _milliseconds(text: str) -> int:
    if not text:
        return 0
    found = _TIME.fullmatch(text)
    if not found or not 0 < (time := int(found[1]) * _UNITS[found[2]]) <= _MAX_TIME:
        raise ValueError(f"{text!r} is not a time such as 500ms, 2s or 1m")
    return time


def _balance(text: str) -> str:
    words = " ".join(text.split(" "))
    if not _BALANCE.fullmatch(words):
        raise ValueError(f"{text!r} is not an algorithm that the stand-in supports")
    return words


def _slots(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= _MAX_SLOTS:
        raise ValueError(f"{text!r} is not a number from 1 to {_MAX_SLOTS}")
    return int(text)
