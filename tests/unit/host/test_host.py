import errno
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_host import FakeHost

from labctl.config import Overrides
from labctl.errors import HostError
from labctl.host import hosts_file
from labctl.host.networks import find_overlaps, host_routes
from labctl.model.lab import Lab, Provider
from labctl.providers.load import load_lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return load_lab(tmp_path, overrides=Overrides(provider="lxc"))


def printing(text: str, platform: str = "linux") -> FakeHost:
    """A host whose program for routes prints this."""
    return FakeHost(platform=platform, answers=dict.fromkeys(("ip", "netstat", "powershell"), text))


def routes(*rows: dict) -> FakeHost:
    return printing(json.dumps(rows))


def test_routes_of_a_host():
    found = host_routes(
        routes(
            {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
            {"dst": "192.0.2.0/24", "dev": "eth0", "scope": "link"},
            {"dst": "0.0.0.0/1", "dev": "tun0"},
            {"dst": "10.1.2.3", "dev": "tun0"},
            {"type": "blackhole", "dst": "172.16.0.0/16"},
            {"type": "local", "dst": "127.0.0.0/8", "dev": "lo", "table": "local"},
            {"dst": "10.2.0.0/16", "nexthops": []},
        )
    )
    assert [(str(route.network), route.interface) for route in found] == [
        ("192.0.2.0/24", "eth0"),
        ("10.1.2.3/32", "tun0"),
        ("10.2.0.0/16", ""),
    ]


# In the form of macOS 14's netstat: a neighbour, a host of a VPN, networks short and long, VirtualBox's own.
NETSTAT = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.1.1        UGScg                 en0
10.8/16            10.8.0.5           UGSc                utun4
10.9.1.2           10.8.0.5           UGHS                utun4
127                127.0.0.1          UCS                   lo0
192.168.1          link#6             UCS                   en0      !
192.168.1.1        0:11:22:33:44:55   UHLWIir               en0   1176
192.168.50/24      link#20            UC              bridge100      !
224.0.0/4          link#6             UmCS                  en0      !
"""


def test_routes_of_a_mac(lab):
    host = printing(NETSTAT, "darwin")
    found = host_routes(host)
    assert host.commands == ["netstat -rn -f inet"]
    assert [(str(route.network), route.interface) for route in found] == [
        ("10.8.0.0/16", "utun4"),
        ("10.9.1.2/32", "utun4"),
        ("192.168.1.0/24", "en0"),
        ("192.168.50.0/24", "bridge100"),
        ("224.0.0.0/4", "en0"),
    ]
    assert find_overlaps(replace(lab, provider=Provider.VIRTUALBOX), found) == []


# PowerShell writes one row without brackets around it.
ROW = {"DestinationPrefix": "172.16.0.0/12", "InterfaceAlias": "VPN"}
WINDOWS = [
    {"DestinationPrefix": "255.255.255.255/32", "InterfaceAlias": "Ethernet"},
    {"DestinationPrefix": "192.168.50.255/32", "InterfaceAlias": "VirtualBox Host-Only Ethernet Adapter"},
    {"DestinationPrefix": "192.168.50.1/32", "InterfaceAlias": "VirtualBox Host-Only Ethernet Adapter"},
    {"DestinationPrefix": "192.168.50.0/24", "InterfaceAlias": "VirtualBox Host-Only Ethernet Adapter"},
    {"DestinationPrefix": "127.0.0.0/8", "InterfaceAlias": "Loopback Pseudo-Interface 1"},
    {"DestinationPrefix": "0.0.0.0/0", "InterfaceAlias": "Ethernet"},
]


@pytest.mark.parametrize(("rows", "obstacles"), [(WINDOWS, []), (ROW, ["VPN"]), ([*WINDOWS, ROW], ["VPN"])])
def test_routes_of_windows(lab, rows, obstacles):
    found = host_routes(printing(json.dumps(rows), "win32"))
    overlaps = find_overlaps(replace(lab, provider=Provider.VIRTUALBOX), found)
    assert [overlap.route.interface for overlap in overlaps] == obstacles


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@given(printed=st.text())
def test_no_output_is_too_strange(platform, printed):
    host_routes(printing(printed, platform))


@pytest.mark.parametrize("printed", ["", "no json", "{}", "[1]", '[{"dst": null}]'])
def test_no_routes_to_be_had(printed):
    assert host_routes(printing(printed)) == []
    assert host_routes(FakeHost(platform="linux", missing=["ip"])) == []


def test_a_network_in_use_is_named_with_its_interface(lab):
    ask = routes({"dst": "192.168.0.0/16", "dev": "wlan0"}, {"dst": "172.16.5.0/24", "dev": "docker0"})
    assert [str(overlap) for overlap in find_overlaps(lab, host_routes(ask))] == [
        "network.subnet 192.168.50.0/24 overlaps 192.168.0.0/16, which this host routes by wlan0",
        "network.pod_cidr 172.16.0.0/16 overlaps 172.16.5.0/24, which this host routes by docker0",
    ]


def test_the_labs_own_bridge_is_no_obstacle(lab):
    own = {"dst": "192.168.50.0/24", "dev": lab.bridge}
    pods = {"dst": "172.16.49.64/26", "dev": lab.bridge}
    assert find_overlaps(lab, host_routes(routes(own, pods))) == []
    assert find_overlaps(lab, host_routes(routes({**own, "dev": "labctl-other"})))


OTHERS = "127.0.0.1\tlocalhost\r\n\xe9 # labctl:lab2\n1.2.3.4 a # labctl:lab not mine\n"


def test_one_line_in_its_place(lab):
    line = "192.168.50.21 test.local # labctl:lab\n"
    assert hosts_file.with_line(OTHERS, lab) == OTHERS + line
    old = "10.0.0.1 old.name # labctl:lab\n"
    assert hosts_file.with_line(old + OTHERS + old, lab) == line + OTHERS
    assert hosts_file.with_line(hosts_file.with_line(OTHERS, lab), lab) == OTHERS + line
    assert hosts_file.without_line(old + OTHERS + line, "lab") == OTHERS
    assert hosts_file.with_line("", lab) == line


def test_mode_bytes_and_links_survive(lab, tmp_path):
    target, link = tmp_path / "real", tmp_path / "hosts"
    target.write_bytes(b"1.1.1.1 \xff\r\n")
    target.chmod(0o640)
    link.symlink_to(target)
    assert hosts_file.apply_line(lab, link)
    assert not hosts_file.apply_line(lab, link)
    assert link.is_symlink()
    assert target.read_bytes() == b"1.1.1.1 \xff\r\n192.168.50.21 test.local # labctl:lab\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert hosts_file.remove_line("lab", link)
    assert target.read_bytes() == b"1.1.1.1 \xff\r\n"


def failing(number: int):
    def write(path, data, *, mode):
        raise OSError(number, "cannot")

    return write


def test_a_mount_point_is_written_in_place(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts_file, "write_atomically", failing(errno.EBUSY))
    file = tmp_path / "hosts"
    assert hosts_file.apply_line(lab, file)
    assert file.read_text() == "192.168.50.21 test.local # labctl:lab\n"


def test_without_the_right_to_write(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts_file, "write_atomically", failing(errno.EACCES))
    with pytest.raises(HostError) as caught:
        hosts_file.apply_line(lab, tmp_path / "hosts")
    assert caught.value.next_step == "sudo labctl hosts --apply"
