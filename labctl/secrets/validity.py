"""Whether the secrets that a machine was created with still exist and are valid: new ones would not fit it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from labctl.secrets.keys import KeyPair, is_key, key_matches, ssh_public_key

AUTHORITIES = {"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd-ca": "etcd-ca"}
_TOKEN = re.compile(rb"[a-z0-9]{6}\.[a-z0-9]{16}\n")
_PASSWORD = re.compile(rb"[0-9a-f]{40}")


def is_ssh_key(data: bytes) -> bool:
    """Whether data is a private key in OpenSSH's format."""
    try:
        return bool(ssh_public_key(data, ""))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def is_token(data: bytes) -> bool:
    """Whether data is a kubeadm bootstrap token and a line end."""
    return _TOKEN.fullmatch(data) is not None


def is_password(data: bytes) -> bool:
    """Whether data is a password in the format that labctl generates."""
    return _PASSWORD.fullmatch(data) is not None


def has_valid_file(file: Path, fits: Callable[[bytes], bool]) -> bool:
    """Whether the file exists, is no link, and has valid contents."""
    return file.is_file() and not file.is_symlink() and fits(file.read_bytes())


def has_valid_authority(folder: Path, name: str) -> bool:
    """Whether an authority's certificate and key exist and belong together. folder: the lab's secrets."""
    certificate, key = folder / f"pki/{name}.crt", folder / f"pki/{name}.key"
    if not has_valid_file(key, is_key) or not has_valid_file(certificate, bool):
        return False
    return key_matches(KeyPair(certificate.read_bytes(), key.read_bytes()))


def locked_out(folder: Path, machines: Iterable[str]) -> dict[str, str]:
    """Of these existing machines, those that labctl can no longer log in to or use, each with the secret to blame.

    folder: the lab's secrets.
    """
    shared = {"ssh/lab_ed25519": is_ssh_key, "pki/sa.key": is_key, "bootstrap-token": is_token}
    lost = [name for name, fits in shared.items() if not has_valid_file(folder / name, fits)]
    lost += [f"pki/{name}" for name in AUTHORITIES if not has_valid_authority(folder, name)]
    if lost:
        return dict.fromkeys(machines, lost[0])
    keys = {machine: f"ssh/{machine}/host_ed25519" for machine in machines}
    return {machine: name for machine, name in keys.items() if not has_valid_file(folder / name, is_ssh_key)}
