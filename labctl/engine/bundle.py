"""What is copied to a machine: its rendered files and its secrets, as one tar stream."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import StepError
from labctl.ssh.connections import Connection

FOLDER = "/root/lab"
_DIGEST_FILE = "bundle-digest"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A machine's files. archive: an uncompressed tar whose last member is the digest of all others."""

    digest: str
    archive: bytes


def make_bundle(rendered: Path, secrets: Path) -> Bundle:
    """The bundle for one machine: its folder of rendered files, with its secrets below ``secrets/``."""
    files = {path.relative_to(rendered): path for path in sorted(rendered.rglob("*")) if path.is_file()}
    found = [path for path in sorted(secrets.rglob("*")) if path.is_file()]
    private = {Path("secrets") / path.relative_to(secrets): path for path in found}
    digest = hashlib.sha256()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, path in (files | private).items():
            content = path.read_bytes()
            mode = path.stat().st_mode & 0o777
            digest.update(f"{name}\0{mode:o}\0{len(content)}\0".encode() + content)
            _add(archive, str(name), content, mode)
        _add(archive, _DIGEST_FILE, digest.hexdigest().encode(), 0o600)
    return Bundle(digest.hexdigest(), buffer.getvalue())


def read_digest_command() -> str:
    """The command that prints the digest of the bundle that a machine has; nothing if it has none."""
    return f"cat {FOLDER}/{_DIGEST_FILE} 2>/dev/null || true"


def unpack_command() -> str:
    """The command that takes a bundle on its standard input and puts it in place of the one before."""
    new = f"{FOLDER}.new"
    # One at a time: a killed labctl may have left one of these running.
    return (
        "exec 9>/run/lock/labctl-files && flock --timeout 60 9 && umask 077 "
        f"&& rm -rf {new} && mkdir {new} && tar -C {new} -xpf - --no-same-owner && rm -rf {FOLDER} && mv {new} {FOLDER}"
    )


def bring(connection: Connection, bundle: Bundle, deadline: float) -> bool:
    """Copy a machine's files if they differ from those that it has; returns whether they did.

    deadline: seconds that each of the two commands may take. Raises StepError, RemoteError.
    """
    has = connection.run(read_digest_command(), deadline=deadline).stdout.strip()
    if has == bundle.digest:
        return False
    copied = connection.run(unpack_command(), deadline=deadline, stdin=bundle.archive)
    if not copied.ok:
        why = copied.stderr.strip()
        raise StepError("the lab's files could not be copied", where=connection.access.machine, why=why)
    return True


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = mode
    archive.addfile(member, io.BytesIO(content))
