"""One secret link per seat and one for the teacher: as text, CSV, JSON, or a page of cards with QR codes."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2
import segno
from markupsafe import Markup

from labctl.host.files import write_atomically
from labctl.text import printable
from labctl.web.store import TEACHER

_TOKEN_BYTES = 16  # 128 bits


@dataclass(frozen=True, slots=True)
class Link:
    """A link. person: a seat's name, TEACHER, or the teacher of one of several servers: ``teacher@server1``."""

    person: str
    link: str

    @classmethod
    def from_dict(cls, row: dict[str, str], server: str) -> Link:
        """Read a row of another server's ``--output json``. Raises KeyError."""
        person, link = printable(str(row["person"])), printable(str(row["link"]))
        return cls(f"{person}@{server}" if person == TEACHER else person, link)


def make_tokens(folder: Path, seats: Iterable[str], *, new: bool = False) -> dict[str, str]:
    """The token of each seat and of the teacher.

    They are computed from a key that only the class's owner can read, so they can be printed again although the
    database has only their hashes. new: replace the key, and with it all tokens.
    """
    file = folder / "links.key"
    if new or not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(file, secrets.token_bytes(32), mode=0o600)
    key = file.read_bytes()
    return {person: _token(key, person) for person in (*seats, TEACHER)}


def _token(key: bytes, person: str) -> str:
    code = hmac.new(key, person.encode(), hashlib.sha256).digest()[:_TOKEN_BYTES]
    return base64.urlsafe_b64encode(code).decode().rstrip("=")


def make_links(url: str, tokens: dict[str, str]) -> tuple[Link, ...]:
    """The links. A token follows the #: browsers send that part to no server, so it is in no proxy's log either."""
    return tuple(Link(person, f"{url.rstrip('/')}/enter#{token}") for person, token in tokens.items())


def as_text(links: Iterable[Link]) -> str:
    """A line per link."""
    return "".join(f"{link.person}  {link.link}\n" for link in links)


def as_csv(links: Iterable[Link]) -> str:
    """Two columns, with headings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("person", "link"))
    writer.writerows((link.person, link.link) for link in links)
    return text.getvalue()


def as_json(links: Iterable[Link]) -> str:
    """An object with a list."""
    return json.dumps({"links": [asdict(link) for link in links]}, indent=2) + "\n"


def as_cards(title: str, links: Iterable[Link]) -> str:
    """A page for the projector or the printer: a card per seat, none for the teacher."""
    students = [link for link in links if link.person.partition("@")[0] != TEACHER]
    cards = [(link.person, link.link, _qr_code(link.link)) for link in students]
    template = Path(__file__).with_name("cards.html.j2").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True).from_string(template).render(title=title, cards=cards)


def _qr_code(text: str) -> Markup:
    """The QR code as SVG, black on white in every theme."""
    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(scale=4, dark="#000", light="#fff"))  # noqa: S704 - segno's own SVG, without the text


FORMATS = {"text": as_text, "csv": as_csv, "json": as_json}
