"""VirtualBox's rule for host-only networks: which are allowed where, and what a lab gets that chose none."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.config import Overrides
from labctl.host.host import Host
from labctl.model.lab import Lab, Provider
from labctl.providers.doctor import apply, described
from labctl.providers.load import choose_provider, load_lab, virtualbox_works
from labctl.providers.probe import AptPackages, WriteFile
from labctl.providers.virtualbox.programs import (
    DEFAULT_RANGE,
    allowed_ranges,
    is_allowed,
    networks_conf_with,
    parse_networks_conf,
    virtualbox_version,
)

MakeHost = Callable[..., Host]
ARTICLE = IPv4Network("192.168.50.0/24")
CONF = "etc/vbox/networks.conf"


def version(text: str) -> dict[str, Any]:
    return {"printed": {"VBoxManage --version": text}}


@pytest.mark.parametrize(
    ("differs", "allowed"),
    [
        ({}, False),
        (version("6.1.26r145957"), True),
        (version("6.1.28r147628"), False),
        (version(""), False),
        ({"platform": "win32"}, True),
        ({"platform": "sunos5"}, False),
        ({"platform": "darwin", **version("6.1.40r1")}, False),
        ({"files": {CONF: "* 192.168.0.0/16\n"}}, True),
        ({"files": {CONF: " *  10.0.0.0/8   192.168.50.0/24 fd00::/8\n"}}, True),
        ({"files": {CONF: "# * 192.168.0.0/16\n192.168.0.0/16\n* nonsense 300.1.1.1/8\n"}}, False),
        ({"files": {CONF: "* 192.168.50.0/25\n"}}, False),
        ({"platform": "darwin", "files": {CONF: "* 192.168.0.0/16\n"}, **version("6.1.40r1")}, True),
        ({"platform": "darwin", "files": {CONF: "* 192.168.0.0/16\n"}, **version("7.1.6r1")}, False),
    ],
)
def test_where_the_articles_subnet_is_allowed(
    make_host: MakeHost, tmp_path: Path, differs: dict[str, Any], allowed: bool
) -> None:
    host = make_host(**differs)
    assert is_allowed(ARTICLE, allowed_ranges(host)) is allowed
    said: list[str] = []
    lab = load_lab(tmp_path, overrides=Overrides(provider="virtualbox"), host=host, tell=said.append)
    base = "192.168.50" if allowed else "192.168.56"
    assert str(lab.network.subnet) == f"{base}.0/24"
    assert [str(machine.address) for machine in lab.machines] == [f"{base}.{last}" for last in (21, 22, 23, 24)]
    assert ["192.168.56.0/24" in line and str(ARTICLE) in line for line in said] == ([] if allowed else [True])


@pytest.mark.parametrize("provider", [Provider.LXC, Provider.LIBVIRT])
def test_other_providers_keep_the_articles_subnet(make_host: MakeHost, tmp_path: Path, provider: Provider) -> None:
    lab = load_lab(tmp_path, overrides=Overrides(provider=provider.value), host=make_host())
    assert lab.network.subnet == ARTICLE


def test_a_chosen_subnet_stays(make_host: MakeHost, tmp_path: Path) -> None:
    (tmp_path / "labctl.yaml").write_text("provider: virtualbox\nnetwork: {subnet: 192.168.50.0/24}\n")
    assert load_lab(tmp_path, host=make_host()).network.subnet == ARTICLE


def test_the_subnet_of_a_lab_stays_when_the_rule_changes(make_host: MakeHost, tmp_path: Path) -> None:
    (tmp_path / "labctl.yaml").write_text("provider: virtualbox\n")
    kept = Overrides(subnet="192.168.56.0/24")
    free = make_host({CONF: "* 0.0.0.0/0\n"})
    assert load_lab(tmp_path, overrides=kept, host=free).network.subnet == IPv4Network("192.168.56.0/24")
    (tmp_path / "labctl.yaml").write_text("provider: virtualbox\nnetwork: {subnet: 10.9.0.0/24}\n")
    assert load_lab(tmp_path, overrides=kept, host=free).network.subnet == IPv4Network("10.9.0.0/24")


def test_emulation_is_chosen_where_kvm_is_missing(make_host: MakeHost, tmp_path: Path) -> None:
    def lab(text: str, host: Host) -> Lab:
        (tmp_path / "labctl.yaml").write_text(text)
        return load_lab(tmp_path, host=host)

    without = make_host({"dev/kvm": None})
    assert not lab("provider: libvirt\n", make_host()).emulated
    assert lab("provider: libvirt\n", without).emulated
    assert lab("provider: libvirt\nemulated: true\n", make_host()).emulated
    assert not lab("provider: libvirt\nemulated: false\n", without).emulated
    assert lab("provider: lxc\nemulated: true\n", without).emulated, "the host itself is"
    assert not lab("provider: lxc\n", without).emulated
    assert lab("provider: virtualbox\nemulated: true\n", without).emulated, "so is the host of these"
    assert not lab("provider: virtualbox\n", without).emulated
    assert lab("provider: libvirt\n", without).patience > 1 == lab("provider: lxc\n", without).patience


def test_choice_of_the_provider(make_host: MakeHost) -> None:
    loaded, unloaded = make_host(), make_host({"dev/vboxdrv": None})
    assert choose_provider(loaded) is Provider.VIRTUALBOX
    assert choose_provider(unloaded) is Provider.LXC
    assert not virtualbox_works(make_host(**version("oops")))
    assert virtualbox_works(make_host({"dev/vboxdrv": None}, platform="darwin"))
    assert virtualbox_version(make_host(**version("WARNING: 1.2.3 is not loaded\n7.0.20r163906\n"))) == (7, 0, 20)


networks = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False), st.integers(0, 2**32 - 1), st.integers(8, 32)
)
confs = st.lists(
    st.one_of(
        networks.map(lambda network: f"* {network}"),
        st.lists(networks, max_size=3).map(lambda many: "  *" + " ".join(map(str, many))),
        st.text(alphabet="#*abc 0123./:", max_size=30),
    ),
    max_size=5,
).map("\n".join)


@given(confs, networks)
def test_the_written_line_allows_the_subnet_and_forbids_nothing(conf: str, network: IPv4Network) -> None:
    before, after = parse_networks_conf(conf), parse_networks_conf(networks_conf_with(conf, network, exists=True))
    assert after == (*before, network)
    assert is_allowed(network, after)


@given(networks)
def test_a_new_file_still_allows_what_was_allowed_without_one(network: IPv4Network) -> None:
    assert parse_networks_conf(networks_conf_with("", network, exists=False)) == (DEFAULT_RANGE, network)


def test_the_fix_writes_the_file(make_host: MakeHost) -> None:
    host = make_host()
    fix = WriteFile(host.path("/etc/vbox/networks.conf"), "* 192.168.56.0/21 10.1.2.0/24\n")
    assert described([AptPackages(("lxc", "nftables")), fix, AptPackages(("lxc",))]) == [
        "install lxc nftables",
        f"write {host.path('/etc/vbox/networks.conf')}: * 192.168.56.0/21 10.1.2.0/24",
    ]
    apply([fix], host)
    assert fix.path.read_text() == "* 192.168.56.0/21 10.1.2.0/24\n"
    assert fix.path.stat().st_mode & 0o777 == 0o644
