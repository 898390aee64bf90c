"""The one place where secrets are taken out of text: everything that labctl logs or packs goes through here."""

from __future__ import annotations

import base64
import re
from pathlib import Path

SHOWN = "(secret)"
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_KEY_DATA = re.compile(r'client-key-data"?\s*:\s*"?([A-Za-z0-9+/=]+)')
# kubeadm's bootstrap tokens (kubernetes.io, "Authenticating with Bootstrap Tokens"), and what programs call secrets.
_TOKEN = re.compile(r"(?<![a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9.])")
_NAMED = re.compile(
    r"((?:password|passwd|token|secret|authorization)(?:-data)?[\"']?\s*[=:]\s*(?:bearer\s+)?[\"']?)[^\s\"',;]{6,}",
    re.IGNORECASE,
)
_SHORTEST = 12
# Files of the lab's secrets that are one word.
_WORDS = ("bootstrap-token", "bgp-password")


class Redactor:
    """Knows a lab's secrets and how secrets look. folder: the lab's secrets; what is in it may change at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[int, ...] = ()
        self._known: re.Pattern[str] | None = None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        self._look()
        if self._known is not None:
            text = self._known.sub(SHOWN, text)
        text = _PEM.sub(SHOWN, text)
        text = _KEY_DATA.sub(lambda match: match[0].replace(match[1], SHOWN), text)
        text = _TOKEN.sub(SHOWN, text)
        return _NAMED.sub(rf"\g<1>{SHOWN}", text)

    def _look(self) -> None:
        """Read the lab's secrets, if they are others than before."""
        rooms = (self._folder, self._folder / "pki", self._folder / "ssh", *self._folder.glob("ssh/*/"))
        seen = tuple(room.stat().st_mtime_ns for room in rooms if room.is_dir())
        if seen == self._seen:
            return
        self._seen = seen
        values = sorted(known_secrets(self._folder), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None


def known_secrets(folder: Path) -> set[str]:
    """The secret texts in a lab's secrets: lines of private keys, tokens, passwords; all of them in base64, too."""
    found: set[str] = set()
    for file in folder.rglob("*"):
        try:
            text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        except OSError:
            continue
        for match in _PEM.finditer(text):
            found.update(line.strip() for line in match[1].splitlines())
            found.add(base64.b64encode(f"{match[0]}\n".encode()).decode())
        found.update(match[1] for match in _KEY_DATA.finditer(text))
        if file.name in _WORDS:
            found.update((text.strip(), text.strip().rpartition(".")[2]))
            found.add(base64.b64encode(text.encode()).decode())  # as a Secret has it
    return {value for value in found if len(value) >= _SHORTEST}
