"""What this host lacks for a lab, each with the command that adds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from labctl.errors import HostError
from labctl.model.lab import Lab, Provider, Source

# Debian's package vagrant-lxc puts the plugin here; `vagrant plugin install` lists it in the user's plugins.json.
_PLUGIN_FOLDERS = ("/usr/share/rubygems-integration/all/gems",)
_PLUGIN_LIST = Path(".vagrant.d/plugins.json")


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that the host does not have. remedy: the command that adds it."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class HostTools:
    """How to look at the host; tests put their own in its place."""

    find: Callable[[str], str | None] = shutil.which
    file_systems: Path = Path("/proc/filesystems")
    overlay_module: Path = Path("/sys/module/overlay")
    plugin_folders: tuple[str, ...] = _PLUGIN_FOLDERS
    home: Path = field(default_factory=Path.home)

    def has_plugin(self, name: str) -> bool:
        """Whether a Vagrant plugin is installed, as a package or by the user."""
        if any(True for folder in self.plugin_folders for _ in Path(folder).glob(f"{name}-[0-9]*")):
            return True
        listed = self.home / _PLUGIN_LIST
        return listed.is_file() and f'"{name}"' in listed.read_text(errors="replace")


def lacks(tools: HostTools | None = None) -> list[Lack]:
    """What the host lacks for LXC machines; nothing if all is there."""
    tools = tools or HostTools()
    return _lxc_lacks(tools)


def require_supported(lab: Lab) -> None:
    """Raise HostError for a provider or source that labctl.yaml may name but that this version cannot bring up yet."""
    if lab.provider is not Provider.LXC or lab.source is not Source.DEBIAN:
        raise HostError(
            f"provider {lab.provider.value} with source {lab.source.value} is not built yet",
            why="this version of labctl brings up LXC machines with Debian's software only",
            next_step="labctl up --provider lxc --source debian",
        )


def require(lab: Lab, tools: HostTools | None = None) -> None:
    """Raise HostError, naming all of it, if the host lacks anything for this lab."""
    require_supported(lab)
    found = lacks(tools)
    if found:
        remedies = list(dict.fromkeys(lack.remedy for lack in found))
        raise HostError(
            f"this host lacks {', '.join(lack.what for lack in found)}",
            why=f"machines of the provider {lab.provider.value} need it",
            next_step="\n".join(remedies),
        )


def _lxc_lacks(tools: HostTools) -> list[Lack]:
    packages = {
        "vagrant": "vagrant",
        "lxc-start": "lxc",
        "mmdebstrap": "mmdebstrap",
        "nft": "nftables",
        "ip": "iproute2",
        "flock": "util-linux",
    }
    found = [Lack(program, f"apt install {name}") for program, name in packages.items() if tools.find(program) is None]
    if not tools.has_plugin("vagrant-lxc"):
        # Debian 13 has no such package; there the plugin comes from rubygems.org.
        found.append(Lack("the plugin vagrant-lxc", "apt install vagrant-lxc, or: vagrant plugin install vagrant-lxc"))
    try:
        known = tools.file_systems.read_text().split()
    except OSError:
        known = []
    if "overlay" not in known and not tools.overlay_module.exists():
        found.append(Lack("the overlay file system", "modprobe overlay"))
    return found
