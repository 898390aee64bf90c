"""Removes secrets from text. Everything that labctl logs, or packs into a support bundle, passes through here."""

from __future__ import annotations

import base64
import re
from pathlib import Path

REPLACEMENT = "(secret)"
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_KEY_DATA = re.compile(r'client-key-data"?\s*:\s*"?([A-Za-z0-9+/=]+)')
# kubeadm's bootstrap tokens (kubernetes.io, "Authenticating with Bootstrap Tokens"), and values that programs name so.
_TOKEN = re.compile(r"(?<![a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9.])")
_NAMED = re.compile(
    r"((?:password|passwd|token|secret|authorization)(?:-data)?[\"']?\s*[=:]\s*(?:bearer\s+)?[\"']?)[^\s\"',;]{6,}",
    re.IGNORECASE,
)
_SHORTEST = 12
# Secret files that contain a single word.
_WORDS = ("bootstrap-token", "bgp-password")


class Redactor:
    """Replaces a lab's secrets, and what looks like one. folder: the lab's secrets, which may change at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modified: tuple[int, ...] = ()
        self._known: re.Pattern[str] | None = None

    def __call__(self, text: str) -> str:
        """The text with every secret replaced."""
        self._reload()
        if self._known is not None:
            text = self._known.sub(REPLACEMENT, text)
        text = _PEM.sub(REPLACEMENT, text)
        text = _KEY_DATA.sub(lambda match: match[0].replace(match[1], REPLACEMENT), text)
        text = _TOKEN.sub(REPLACEMENT, text)
        return _NAMED.sub(rf"\g<1>{REPLACEMENT}", text)

    def _reload(self) -> None:
        """Read the lab's secrets again if they have changed."""
        folders = (self._folder, self._folder / "pki", self._folder / "ssh", *self._folder.glob("ssh/*/"))
        modified = tuple(folder.stat().st_mtime_ns for folder in folders if folder.is_dir())
        if modified == self._modified:
            return
        self._modified = modified
        values = sorted(known_secrets(self._folder), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None


def known_secrets(folder: Path) -> set[str]:
    """All secret texts of a lab: lines of private keys, tokens and passwords, each also in base64."""
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
            found.add(base64.b64encode(text.encode()).decode())  # as in a Kubernetes Secret
    return {value for value in found if len(value) >= _SHORTEST}
