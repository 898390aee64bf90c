"""The README's first command on a Debian 13 with Docker, NetworkManager, firewalld, two processors and 4 GiB.

make test-vm-debian13; its words go to docs/verified.md. The tests follow one another. sudo asks for a password.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from debian13_host import TeachersHost, make_disk

IN_DEMO = "cd labctl/demo && export PATH=~/labctl/.venv/bin:$PATH && "
REQUEST = (
    "curl --silent --show-error --fail --max-time 20 --header 'Host: test.local' http://192.168.50.21/ | head -n 1"
)
# What a lab brings to a host: containers, network cards, tables of the packet filter, control groups. LXC's own stay.
LEFT = """\
ls -A /var/lib/lxc; ip -brief link | cut -d' ' -f1 | grep -v -e ^lo -e ^eth0 -e ^docker0 -e ^lxcbr0
sudo nft list tables | grep -i labctl; ls /sys/fs/cgroup | grep labctl
ls /sys/kernel/security/apparmor/policy/namespaces
find /run/labctl -type f 2>/dev/null; true
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeachersHost]:
    """The emulated host, switched on."""
    work = tmp_path_factory.mktemp("debian13")
    made = TeachersHost(work, make_disk(work))
    try:
        print(f"\nthe host answers after {made.start():.0f} s")
        yield made
    finally:
        made.stop()


def test_sudo_asks_for_a_password(host: TeachersHost) -> None:
    assert host.terminal("sudo --non-interactive true")[0] == 1
    print(
        host.must(
            "sudo true; cat /etc/debian_version; uname -r; nproc; free -m; systemctl is-active NetworkManager firewalld"
        )
    )


def test_make_demo(host: TeachersHost) -> None:
    said = host.must("cd labctl && make demo", seconds=5400)
    print(said)
    assert "this release has no package vagrant-lxc" in said
    assert said.count("http://test.local/ → Request served by app-") == 5


def test_doctor_is_content(host: TeachersHost) -> None:
    print(host.must(f"{IN_DEMO} labctl doctor"))


def test_docker_starts_while_the_lab_is_up(host: TeachersHost) -> None:
    """It loads br_netfilter, so firewalld sees what the machines send each other; its first start reloads firewalld."""
    print(host.must("sudo systemctl start docker && sudo iptables -S FORWARD && sudo firewall-cmd --get-active-zones"))
    up_lets_the_bridge_pass_again(host)


def test_networkmanager_and_firewalld_start_again(host: TeachersHost) -> None:
    host.must("sudo systemctl restart NetworkManager && sudo firewall-cmd --reload")
    up_lets_the_bridge_pass_again(host)


def up_lets_the_bridge_pass_again(host: TeachersHost) -> None:
    """firewalld has forgotten the lab's bridge. verify says what to do, and as root, why."""
    host.must("sleep 60")
    status, said = host.terminal(f"{IN_DEMO} labctl verify")
    print(said)
    assert status == 1
    # Where BGP's sessions stay up, the pods alone are out of reach.
    words = " ".join(said.split())
    assert "next labctl up" in words or "only root may read it (sudo labctl verify)" in words
    status, said = host.terminal(f"{IN_DEMO} sudo env PATH=$PATH labctl verify")
    print(said)
    assert status == 1
    assert "table inet firewalld" in said
    print(host.must(f"{IN_DEMO} labctl up", seconds=1800))
    print(host.must(f"{IN_DEMO} labctl verify --wait 120"))
    print(host.must(REQUEST))


def test_destroy_leaves_nothing(host: TeachersHost) -> None:
    host.must(f"{IN_DEMO} labctl destroy --yes")
    assert host.must(LEFT).split() == []
