"""Vagrant on this host: its version and its plugins."""

from __future__ import annotations

from labctl.host.command import Version, version_in
from labctl.host.host import Host

# Debian's packages of plugins put them here; `vagrant plugin install` lists its own in the user's plugins.json.
PACKAGED_PLUGINS = "/usr/share/rubygems-integration/all/gems"
_DEADLINE = 20.0


def vagrant_version(host: Host) -> Version | None:
    """What ``vagrant --version`` prints; None where Vagrant is not installed."""
    return version_in(host.ask(["vagrant", "--version"], _DEADLINE))


def has_plugin(host: Host, name: str) -> bool:
    """Whether a Vagrant plugin is installed, as a package or by the user."""
    if any(host.path(PACKAGED_PLUGINS).glob(f"{name}-[0-9]*")):
        return True
    listed = host.home / ".vagrant.d/plugins.json"
    return listed.is_file() and f'"{name}"' in listed.read_text(errors="replace")
