"""The support bundle: logs, state, versions and configuration of a lab in one tar.gz, without secrets."""

from __future__ import annotations

import io
import platform
import sys
import tarfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from labctl import __version__
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.secrets.redact import Redactor

# Of a longer file only the end is packed, which has the error.
_MAX_BYTES = 2_000_000
_DEADLINE = 20.0
_STATE = ("applied.yaml", "choices.json", "lab.json", "rendered.json", "lock.json", "Vagrantfile", "faults.json")
_PROGRAMS = ("vagrant", "lxc", "bird2", "haproxy", "nftables", "iproute2", "mmdebstrap", "openssh-client")
_LIBRARIES = ("click", "cryptography", "paramiko", "psutil", "pydantic", "python-vagrant", "rich", "ruamel.yaml")


def support_bundle(files: LabDirectory, lab: Lab | None, more: dict[str, str], host: Host) -> bytes:
    """A tar.gz with everything, redacted. lab: None if labctl.yaml can't be read. more: further texts, by name."""
    redact = Redactor(files.secrets)
    texts = {**_files(files), "versions.txt": versions(host), "host.txt": _host(lab, host), **more}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in sorted(texts.items()):
            content = redact(text).encode("utf-8", "backslashreplace")
            member = tarfile.TarInfo(f"labctl-support/{name}")
            member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def versions(host: Host) -> str:
    """labctl, Python, its libraries, this host, and the programs that labctl calls."""
    lines = [f"labctl {__version__}", f"Python {sys.version.split()[0]}", platform.platform()]
    for library in _LIBRARIES:
        try:
            lines.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{library} is not installed")
    lines += ["", host.ask(["vagrant", "--version"], _DEADLINE) or "vagrant does not answer"]
    lines.append(host.ask(["dpkg-query", "--show", *_PROGRAMS], _DEADLINE) or "dpkg does not know all of them")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _files(files: LabDirectory) -> dict[str, str]:
    found = {"labctl.yaml": files.config}
    found |= {f"state/{name}": files.folder / name for name in _STATE}
    found |= {f"logs/{path.name}": path for path in files.folder.glob("labctl.log*")}
    for pattern in ("*.log", "*.log.1", "*/*.log"):
        found |= {f"logs/{path.relative_to(files.logs)}": path for path in files.logs.glob(pattern)}
    return {name: text for name, path in found.items() for text in _read(path)}


def _read(path: Path) -> Iterator[str]:
    """The end of a file; nothing for anything but a regular file, as a link may point anywhere."""
    try:
        if path.is_symlink() or not path.is_file():
            return
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _MAX_BYTES))
            yield stream.read().decode("utf-8", "backslashreplace")
    except OSError as error:
        yield f"can't be read: {error}\n"


def _host(lab: Lab | None, host: Host) -> str:
    """The lab on this host: containers, interfaces, routes, memory, disk."""
    commands = [
        ["lxc-ls", "--fancy"],
        ["ip", "-brief", "address"],
        ["ip", "route"],
        ["free", "-m"],
        ["df", "-h", "."],
    ]
    if lab is not None:
        commands.append(["nft", "list", "table", "ip", f"labctl-{lab.name}"])
    return "".join(f"$ {' '.join(words)}\n{host.ask(words, _DEADLINE) or '(nothing)'}\n" for words in commands)
