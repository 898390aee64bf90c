"""Validators for single values of labctl.yaml. Each returns the value, or raises pydantic's error.

The error may have a suggestion in its context; labctl/config/problems.py turns it into a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from pydantic_core import PydanticCustomError

_VERSION = r"[0-9]{1,4}(\.[0-9]{1,4}){1,2}"
_LONGEST_PLACE = 2000
_MIRROR = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/([A-Za-z0-9._~/+\-]|%[0-9A-Fa-f]{2})*)?")
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
# The grammar of github.com/distribution/reference (reference.go, "Grammar"), without its identifiers.
_IMAGE = re.compile(
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)


def network(value: object) -> IPv4Network:
    """An IPv4 network from its text. A text with host bits set is refused with the network that was probably meant."""
    if isinstance(value, IPv4Network):
        return value
    if not isinstance(value, str) or "/" not in value:
        raise PydanticCustomError("network", "not a network")
    try:
        loose = IPv4Network(value, strict=False)
    except ValueError as error:
        raise PydanticCustomError("network", "not a network") from error
    if str(loose) != value:
        raise PydanticCustomError("network", "not a network's first address", {"suggestion": str(loose)})
    return loose


def address(value: object) -> IPv4Address:
    """An IPv4 address from its text."""
    if isinstance(value, IPv4Address):
        return value
    try:
        if isinstance(value, str):
            return IPv4Address(value)
    except ValueError:
        pass
    raise PydanticCustomError("address", "not an address")


def one_of(*words: str) -> Callable[[object], str]:
    """Makes a function that takes one of these words."""

    def word(value: object) -> str:
        if value not in words:
            raise PydanticCustomError("word", "not one of the words")
        return str(value)

    return word


def image(value: str) -> str:
    """An image's reference, by the grammar of the registries."""
    if len(value) > 255 or not _IMAGE.fullmatch(value):
        raise PydanticCustomError("image", "not an image reference")
    return value


def host(value: str) -> str:
    """A host name with a domain, in lower case."""
    labels = value.split(".")
    valid = all(len(label) <= 63 and re.fullmatch(_LABEL, label) for label in labels)
    if not valid or len(value) > 253 or labels[-1].isdigit() or labels[-1] == "localhost":
        raise PydanticCustomError("host", "not a host name", _lower_case(value))
    return value


def name(value: str) -> str:
    """One label of DNS, at most 40 characters long."""
    if len(value) > 40 or not re.fullmatch(_LABEL, value):
        raise PydanticCustomError("name", "not a DNS label", _lower_case(value))
    return value


def _lower_case(value: str) -> dict[str, Any]:
    """The suggestion for a name that would be right in lower case with - in place of _."""
    better = value.lower().replace("_", "-")
    return {"suggestion": better} if better != value and re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", better) else {}


def version(value: str) -> str:
    """A version of two or three numbers, without v."""
    if not re.fullmatch(_VERSION, value):
        plain = value.removeprefix("v")
        better = {"suggestion": plain} if re.fullmatch(_VERSION, plain) else {}
        raise PydanticCustomError("version", "not a version", better)
    return value


def mirror(value: str) -> str:
    """A web address without user, query or fragment."""
    if len(value) > _LONGEST_PLACE or not _MIRROR.fullmatch(value):
        raise PydanticCustomError("mirror", "not a URL")
    return value


def cache(value: str) -> str:
    """A cache is a URL, or a folder of this host, from its root on."""
    return value if len(value) <= _LONGEST_PLACE and re.fullmatch(r"/[A-Za-z0-9._~/+\-]*", value) else mirror(value)


def box_name(value: str) -> str:
    """A box's name as Vagrant knows it, with or without its maker's."""
    if len(value) > 128 or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?", value):
        raise PydanticCustomError("box", "not a box name")
    return value


def box_version(value: str) -> str:
    """A box's version as Vagrant's boxes have it."""
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.\-]{0,63}", value):
        raise PydanticCustomError("box", "not a box version")
    return value
