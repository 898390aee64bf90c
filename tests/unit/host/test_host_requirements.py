"""What a host lacks for a lab, with what to type; and what this version cannot bring up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.errors import ExitCode, HostError
from labctl.host.requirements import HostTools, Lack, lacks, require, require_supported
from labctl.model.lab import Lab, Provider, Source

MakeHost = Callable[..., HostTools]
PLUGIN = "apt install vagrant-lxc, or: vagrant plugin install vagrant-lxc"
PACKAGES = {
    "vagrant": "vagrant",
    "lxc-start": "lxc",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "flock": "util-linux",
}


@pytest.fixture
def host(tmp_path: Path) -> MakeHost:
    """Makes a host that has everything but the programs named."""

    def make(*missing: str, plugin: bool = True, overlay: bool = True) -> HostTools:
        gems = tmp_path / "gems"
        gems.mkdir(exist_ok=True)
        if plugin:
            (gems / "vagrant-lxc-1.4.3").mkdir(exist_ok=True)
        systems = tmp_path / "filesystems"
        systems.write_text("nodev\tproc\n\text4\n" + ("nodev\toverlay\n" if overlay else ""))
        return HostTools(
            find=lambda name: None if name in missing else f"/usr/bin/{name}",
            file_systems=systems,
            overlay_module=tmp_path / "overlay",
            plugin_folders=(str(gems),),
            home=tmp_path / "home",
        )

    return make


def test_a_complete_host_lacks_nothing(host: MakeHost, article_lab: Lab) -> None:
    assert lacks(host()) == []
    require(article_lab, host())


@pytest.mark.parametrize("program", PACKAGES)
def test_a_missing_program_is_named_with_its_package(host: MakeHost, program: str) -> None:
    assert lacks(host(program)) == [Lack(program, f"apt install {PACKAGES[program]}")]


def test_all_that_is_missing_is_said_at_once(host: MakeHost, article_lab: Lab) -> None:
    with pytest.raises(HostError) as caught:
        require(article_lab, host("vagrant", "nft", plugin=False))
    assert caught.value.what == "this host lacks vagrant, nft, the plugin vagrant-lxc"
    assert "lxc" in caught.value.why
    assert caught.value.next_step.splitlines() == ["apt install vagrant", "apt install nftables", PLUGIN]
    assert caught.value.exit_code is ExitCode.HOST


def test_the_users_own_plugin_counts(host: MakeHost) -> None:
    tools = host(plugin=False)
    assert lacks(tools) == [Lack("the plugin vagrant-lxc", PLUGIN)]
    listed = tools.home / ".vagrant.d" / "plugins.json"
    listed.parent.mkdir(parents=True)
    listed.write_text('{"version":"1","installed":{"vagrant-lxc-extras":{}}}')
    assert lacks(tools) == [Lack("the plugin vagrant-lxc", PLUGIN)]
    listed.write_bytes(b'{"version":"1","installed":{"vagrant-lxc":{"gem_version":"\xff"}}}')
    assert lacks(tools) == []


def test_another_plugin_of_a_like_name_does_not_count(host: MakeHost, tmp_path: Path) -> None:
    tools = host(plugin=False)
    (tmp_path / "gems" / "vagrant-lxc-extras-1.0").mkdir()
    assert lacks(tools) == [Lack("the plugin vagrant-lxc", PLUGIN)]


def test_a_kernel_without_overlay(host: MakeHost, tmp_path: Path) -> None:
    expected = [Lack("the overlay file system", "modprobe overlay")]
    tools = host(overlay=False)
    assert lacks(tools) == expected
    assert lacks(replace(tools, file_systems=tmp_path / "none")) == expected
    tools.overlay_module.mkdir()  # as a module that is loaded, but not used yet
    assert lacks(tools) == []


def test_what_this_version_brings_up(article_lab: Lab) -> None:
    require_supported(article_lab)


@pytest.mark.parametrize(
    ("provider", "source"),
    [
        (Provider.VIRTUALBOX, Source.UPSTREAM),
        (Provider.VIRTUALBOX, Source.DEBIAN),
        (Provider.LIBVIRT, Source.UPSTREAM),
        (Provider.LXC, Source.UPSTREAM),
    ],
)
def test_what_this_version_does_not_bring_up_is_said_before_anything_else(
    host: MakeHost, article_lab: Lab, provider: Provider, source: Source
) -> None:
    lab = replace(article_lab, provider=provider, source=source)
    with pytest.raises(HostError) as caught:
        require_supported(lab)
    assert caught.value.exit_code == 3
    assert f"provider {provider.value} with source {source.value}" in caught.value.what
    assert caught.value.next_step == "labctl up --provider lxc --source debian"
    with pytest.raises(HostError) as first:
        require(lab, host("vagrant"))
    assert first.value.what == caught.value.what
