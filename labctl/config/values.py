"""Types of single values in labctl.yaml, for the schema: networks, addresses, names, versions, URLs."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_URL = r"https?://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?(?:/(?:[A-Za-z0-9._~/+\-]|%[0-9A-Fa-f]{2})*)?"
# The grammar of github.com/distribution/reference (reference.go, "Grammar"), without its identifiers.
_IMAGE_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?/"
_IMAGE_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE_TAG = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_IMAGE_DIGEST = r"@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_IMAGE = rf"(?:{_IMAGE_DOMAIN})?{_IMAGE_PATH}(?:/{_IMAGE_PATH})*(?:{_IMAGE_TAG})?(?:{_IMAGE_DIGEST})?"


def one_of(*words: str) -> StringConstraints:
    """Text that is one of these words."""
    return _text("|".join(map(re.escape, words)), 100)


def _text(pattern: str, longest: int) -> StringConstraints:
    return StringConstraints(pattern=f"^(?:{pattern})$", max_length=longest)


def _network(value: object) -> IPv4Network:
    """An IPv4 network from its text, without host bits."""
    try:
        if isinstance(value, IPv4Network) or (isinstance(value, str) and "/" in value):
            network = IPv4Network(value)
            if str(network) == str(value):
                return network
    except ValueError:
        pass
    raise PydanticCustomError("network", "not a network")


def _address(value: object) -> IPv4Address:
    """An IPv4 address from its text."""
    try:
        if isinstance(value, IPv4Address | str):
            return IPv4Address(value)
    except ValueError:
        pass
    raise PydanticCustomError("address", "not an address")


def _host(value: str) -> str:
    """A host name in lower case: labels of at most 63 characters, the last one neither a number nor localhost."""
    labels = value.split(".")
    valid = all(len(label) <= 63 and re.fullmatch(_LABEL, label) for label in labels)
    if not valid or len(value) > 253 or labels[-1].isdigit() or labels[-1] == "localhost":
        raise PydanticCustomError("host", "not a host name")
    return value


NetworkText = Annotated[IPv4Network, BeforeValidator(_network)]
AddressText = Annotated[IPv4Address, BeforeValidator(_address)]
HostText = Annotated[str, AfterValidator(_host)]
NameText = Annotated[str, _text(_LABEL, 40)]
ImageText = Annotated[str, _text(_IMAGE, 255)]
VersionText = Annotated[str, _text(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,2}", 14)]
MirrorText = Annotated[str, _text(_URL, 2000)]
CacheText = Annotated[str, _text(rf"{_URL}|/[A-Za-z0-9._~/+\-]*", 2000)]
BoxName = Annotated[str, _text(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?", 128)]
BoxVersion = Annotated[str, _text(r"[0-9A-Za-z][0-9A-Za-z.\-]{0,63}", 64)]
