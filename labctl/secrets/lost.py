"""Secrets that a machine was made with and that can't be made anew for it: whether they are still there, and whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from labctl.secrets.pki import KeyPair, belongs_together, is_key
from labctl.secrets.ssh_keys import ssh_public_key

AUTHORITIES = {"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd-ca": "etcd-ca"}
_TOKEN = re.compile(rb"[a-z0-9]{6}\.[a-z0-9]{16}\n")
_PASSWORD = re.compile(rb"[0-9a-f]{40}")


def is_ssh_key(data: bytes) -> bool:
    """Whether data is a private key in OpenSSH's own format."""
    try:
        return bool(ssh_public_key(data, ""))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def is_token(data: bytes) -> bool:
    """Whether data is a kubeadm bootstrap token, in a line."""
    return _TOKEN.fullmatch(data) is not None


def is_password(data: bytes) -> bool:
    """Whether data is a password as labctl makes them."""
    return _PASSWORD.fullmatch(data) is not None


def is_whole(file: Path, fits: Callable[[bytes], bool]) -> bool:
    """Whether there is such a file with such a content."""
    return file.is_file() and not file.is_symlink() and fits(file.read_bytes())


def is_whole_authority(folder: Path, name: str) -> bool:
    """Whether an authority's certificate and key are there, and belong to each other. folder: of the secrets."""
    certificate, key = folder / f"pki/{name}.crt", folder / f"pki/{name}.key"
    if not is_whole(key, is_key) or not is_whole(certificate, bool):
        return False
    return belongs_together(KeyPair(certificate.read_bytes(), key.read_bytes()))


def locked_out(folder: Path, machines: Iterable[str]) -> dict[str, str]:
    """Of these machines, which exist, those that can't be used any more, each with the secret that was lost.

    folder: of the lab's secrets.
    """
    shared = {"ssh/lab_ed25519": is_ssh_key, "pki/sa.key": is_key, "bootstrap-token": is_token}
    lost = [name for name, fits in shared.items() if not is_whole(folder / name, fits)]
    lost += [f"pki/{name}" for name in AUTHORITIES if not is_whole_authority(folder, name)]
    if lost:
        return dict.fromkeys(machines, lost[0])
    keys = {machine: f"ssh/{machine}/host_ed25519" for machine in machines}
    return {machine: name for machine, name in keys.items() if not is_whole(folder / name, is_ssh_key)}
