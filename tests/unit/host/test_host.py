import errno
import json
import stat
from pathlib import Path

import pytest

from labctl.config import load
from labctl.errors import HostError
from labctl.host import hosts_file
from labctl.host.facts import ask_program
from labctl.host.overlaps import find_overlaps, host_routes
from labctl.model.lab import Lab, Provider


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return load(tmp_path, choose=lambda: Provider.LXC)


def routes(*rows: dict):
    return lambda command, deadline: json.dumps(rows)


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


@pytest.mark.parametrize("printed", [None, "", "no json", "{}", "[1]", '[{"dst": null}]'])
def test_no_routes_to_be_had(printed):
    assert host_routes(lambda *_: printed) == []


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


def test_programs_that_fail_say_nothing():
    assert ask_program(["no-such-program-here"], 1) is None
    assert ask_program(["false"], 1) is None
    assert ask_program(["sleep", "5"], 0.1) is None
    assert ask_program(["echo", "yes"], 5) == "yes\n"


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
