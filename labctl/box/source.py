"""Debian's source packages, fetched by the host's apt with settings of our own.

apt verifies the signature of the archive's Release file, by it the list of sources, and by that each file's SHA-256.
"""

from __future__ import annotations

from pathlib import Path

from labctl.box.mirror import Mirror
from labctl.box.parts import Workspace
from labctl.errors import BoxError


def apt_settings(home: Path, mirror: Mirror) -> str:
    """A configuration by which apt knows nothing of the host's lists, packages and sources."""
    return (
        f'Dir::State "{home}";\nDir::State::status "{home}/status";\nDir::Cache "{home}";\n'
        f'Dir::Etc::sourcelist "{home}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'APT::Sandbox::User "root";\nAcquire::Languages "none";\n{mirror.apt_conf()}'
    )


def make_source(package: str, suite: str, mirror: Mirror, work: Workspace) -> None:
    """The part "kubernetes-source": the upstream tarball, as ``orig.tar.gz``."""
    home = work.out / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (home / folder).mkdir(parents=True)
    (home / "status").touch()
    (home / "sources.list").write_text(mirror.lines(suite, "deb-src"), encoding="utf-8")
    (home / "apt.conf").write_text(apt_settings(home, mirror), encoding="utf-8")
    apt: list[str | Path] = ["env", "-C", work.out, f"APT_CONFIG={home}/apt.conf", "apt-get", "-q"]
    work.commands.run([*apt, "update", "--error-on=any"], deadline=300)
    work.commands.run([*apt, "source", "--download-only", package], deadline=600)
    found = sorted(work.out.glob(f"{package}_*.orig.tar.gz"))
    if not found:
        raise BoxError(f"Debian's source package {package} holds no .orig.tar.gz", where=str(work.commands.log))
    found[0].rename(work.out / "orig.tar.gz")
    work.commands.run(["rm", "-rf", home], deadline=60)
