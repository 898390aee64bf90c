"""The class's own certificate authority, and the certificate of its server."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from labctl.host.files import write_atomically
from labctl.secrets import keys
from labctl.secrets.keys import KeyPair, Subject


def ensure_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """The files of a certificate for that host name or IPv4 address and of its key, made or renewed if necessary.

    The authority's certificate, which a browser may be told to trust, is ``authority.crt`` beside them.
    """
    authority = _read(folder, "authority")
    if authority is None or not keys.key_matches(authority):
        authority = keys.new_authority("labctl class")
        _write(folder, "authority", authority)
    try:
        subject = Subject(host, (), (), (IPv4Address(host),))
    except ValueError:
        subject = Subject(host, (), (host,))
    server = _read(folder, "server")
    if server is None or not keys.is_still_valid(server, authority, subject):
        _write(folder, "server", keys.issue(authority, subject))
    return folder / "server.crt", folder / "server.key"


def _read(folder: Path, name: str) -> KeyPair | None:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    return KeyPair(certificate.read_bytes(), key.read_bytes()) if certificate.exists() and key.exists() else None


def _write(folder: Path, name: str, pair: KeyPair) -> None:
    write_atomically(folder / f"{name}.key", pair.key, mode=0o600)
    write_atomically(folder / f"{name}.crt", pair.certificate)
