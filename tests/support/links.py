"""Local links of a page, and the anchors that a page has, as GitHub makes them."""

from __future__ import annotations

import re
from pathlib import Path

_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*\ssrc=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*#*$", re.MULTILINE)


def links(text: str) -> list[str]:
    """Targets of links and pictures, without those to other sites."""
    prose = _CODE.sub("", _fenced(text))
    targets = [link or image for link, image in _LINK.findall(prose)]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """The anchors of the headings: lower case, spaces to hyphens, punctuation gone, repeated ones numbered."""
    found: set[str] = set()
    for heading in _HEADING.findall(_fenced(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number, name = 0, slug
        while name in found:
            number += 1
            name = f"{slug}-{number}"
        found.add(name)
    return found


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for target in links(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        known = file.exists() and (not anchor or anchor in anchors(file.read_text(encoding="utf-8")))
        if not known:
            wrong.append(f"{page.name}: {target}")
    return wrong


def _fenced(text: str) -> str:
    """The text without code blocks."""
    return re.sub(r"^(```|~~~)[^\n]*\n.*?^\1\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
