"""The container images of a box: Kubernetes' programs, pause, and the application, each from files that we have."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from labctl.box.oci import Entry, Image, add_image, image, layer_tar, split_name, write_archive
from labctl.box.parts import Commands, Workspace
from labctl.box.spec import CONTROL_PLANE, BoxSpec

# What kube-proxy runs beside itself; all iptables names are one program.
PROXY_TOOLS = ("usr/sbin/xtables-nft-multi", "usr/sbin/conntrack", "usr/bin/ip", "usr/bin/kmod")
IPTABLES_NAMES = tuple(f"{ip}tables{what}" for ip in ("ip", "ip6") for what in ("", "-save", "-restore"))

MOST_LINKS = 40
XTABLES = "usr/lib/*-linux-gnu*/xtables/*.so"
_LDD_LINE = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)\s*$")


def libraries(ldd: str) -> list[str]:
    """The absolute paths that ldd's output names, without the leading slash; its other lines are no files."""
    found = (_LDD_LINE.match(line) for line in ldd.splitlines())
    return list(dict.fromkeys(match.group(1).lstrip("/") for match in found if match))


def _inside(root: Path, path: str) -> Path:
    """The file that path means inside root: links on the way are followed there and never out to the host."""
    todo = list(reversed(Path(path).parts))
    place: list[str] = []
    hops = 0
    while todo:
        part = todo.pop()
        if part == "..":
            place = place[:-1]
            continue
        real = root.joinpath(*place, part)
        if real.is_symlink() and hops < MOST_LINKS:
            hops += 1
            target = real.readlink()
            place = [] if target.is_absolute() else place
            todo += [name for name in reversed(target.parts) if name != "/"]
        else:
            place.append(part)
    return root.joinpath(*place)


def _merged(path: str) -> str:
    """Debian 13 has no folders but those in /usr: /lib and the like are links, in an image as well."""
    return path if path.startswith("usr/") else f"usr/{path}"


def proxy_entries(root: Path, kube_proxy: Path, loaded: Iterable[str]) -> list[Entry]:
    """The layer of kube-proxy: the program, iptables and its friends, and the libraries that they load."""
    entries = [Entry("usr/local/bin/kube-proxy", kube_proxy)]
    entries += [
        Entry(name, link=f"usr/{name}") for name in ("bin", "sbin", "lib", "lib64") if (root / name).is_symlink()
    ]
    modules = (path for path in root.glob(XTABLES))
    wanted = [*PROXY_TOOLS, *loaded, *(str(path.relative_to(root)) for path in modules), "etc/protocols"]
    for path in map(_merged_but_etc, wanted):
        source = _inside(root, path)
        if source.is_file():
            entries.append(Entry(path, source, mode=source.stat().st_mode & 0o777))
    entries += [Entry(f"usr/sbin/{name}", link="xtables-nft-multi") for name in IPTABLES_NAMES]
    entries += [Entry("usr/sbin/modprobe", link="../bin/kmod"), Entry("tmp", mode=0o1777), Entry("run")]
    return entries


def _merged_but_etc(path: str) -> str:
    return path if path.startswith("etc/") else _merged(path)


class Maker:
    """Makes the images of one box with the tools of its own root file system."""

    def __init__(self, spec: BoxSpec, programs: Path, root: Path, commands: Commands) -> None:
        self._spec = spec
        self._programs = programs
        self._root = root
        self._commands = commands

    def all(self) -> list[Image]:
        """Every image of the box."""
        spec = self._spec
        made = [self._single(spec.kube_image(name), name, f"usr/local/bin/{name}") for name in CONTROL_PLANE]
        made.append(self._single(spec.pause, "pause", "pause"))
        made.append(self._single(spec.echo, "echo-server", "bin/echo-server"))
        entries = proxy_entries(self._root, self._programs / "kube-proxy", self._loaded())
        made.append(self._image(spec.kube_proxy, entries, "usr/local/bin/kube-proxy"))
        return made

    def _single(self, name: str, program: str, path: str) -> Image:
        entries = [Entry(path, self._programs / program), Entry("tmp", mode=0o1777), Entry("etc")]
        return self._image(name, entries, path)

    def _image(self, name: str, entries: list[Entry], program: str) -> Image:
        entrypoint = (f"/{program}",)
        return image(name, self._spec.arch, layer_tar(entries), entrypoint=entrypoint, compress=self._zstd)

    def _zstd(self, data: bytes) -> bytes:
        """Compressed by the machine's own zstd: a fifth of the size, and nothing that a node would notice."""
        with tempfile.TemporaryDirectory(dir=self._root / "tmp") as folder:
            plain, packed = Path(folder, "layer"), Path(folder, "layer.zst")
            plain.write_bytes(data)
            inside = [f"/{path.relative_to(self._root)}" for path in (plain, packed)]
            self._commands.run("chroot", self._root, "zstd", "-3", "-q", inside[0], "-o", inside[1], deadline=120)
            return packed.read_bytes()

    def _loaded(self) -> list[str]:
        """The libraries of kube-proxy's tools."""
        tools = [f"/{tool}" for tool in PROXY_TOOLS]
        tools += [f"/{path.relative_to(self._root)}" for path in sorted(self._root.glob(XTABLES))]
        return libraries(self._commands.output("chroot", self._root, "ldd", *tools, deadline=60))


def make_images(spec: BoxSpec, work: Workspace) -> None:
    """The part "images": ``images/NAME.tar`` for imports, ``registry/`` for pulls, with the same digests in both."""
    (work.out / "images").mkdir()
    for made in Maker(spec, work.needs["kubernetes"], work.needs["rootfs"], work.commands).all():
        _, repository, _ = split_name(made.name)
        write_archive(work.out / "images" / f"{Path(repository).name}.tar", made)
        add_image(work.out / "registry", made)
    work.commands.run("chmod", "-R", "a+rX", work.out, deadline=60)
