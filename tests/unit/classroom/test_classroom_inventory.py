"""Ansible inventories, as INI and as YAML: `ansible-inventory --list` said the same of these two files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.classroom.inventory import read_inventory
from labctl.errors import ConfigError

INI = """\
# a class
lonely ansible_host=192.0.2.9

[servers]
server1 ansible_host=192.0.2.11 seats=12 first_seat=1   # in the cellar
server[02:03] seats=4 ansible_user="ann"

[far:children]
servers

[far:vars]
ansible_user=root
ansible_port = 2222

[servers:vars]
class_folder=/srv/bgp
ansible_ssh_private_key_file=/home/ann/.ssh/class

[all:vars]
ansible_user=nobody
"""
YAML = """\
all:
  vars: {ansible_user: nobody}
  hosts:
    lonely: {ansible_host: 192.0.2.9}
  children:
    far:
      vars: {ansible_user: root, ansible_port: 2222}
      children:
        servers:
          vars: {class_folder: /srv/bgp, ansible_ssh_private_key_file: /home/ann/.ssh/class}
          hosts:
            server1: {ansible_host: 192.0.2.11, seats: 12, first_seat: 1}
            server[02:03]: {seats: 4, ansible_user: ann}
"""


def problems_of(tmp_path: Path, text: str, name: str = "servers.ini") -> tuple[str, ...]:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_inventory(tmp_path / name)
    return caught.value.problems


@pytest.mark.parametrize(("name", "text"), [("servers.ini", INI), ("servers.yml", YAML)])
def test_both_forms_are_read_as_ansible_reads_them(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text)
    servers = read_inventory(tmp_path / name)
    assert [(one.name, one.address, one.user, one.seats, one.first_seat) for one in servers] == [
        ("server1", "192.0.2.11", "root", 12, 1),
        ("server02", "server02", "ann", 4, None),
        ("server03", "server03", "ann", 4, None),
    ]
    for one in servers:
        assert (one.port, one.folder, one.key_file) == (2222, "/srv/bgp", Path("/home/ann/.ssh/class"))


def test_without_the_group_of_the_playbook_every_host_is_a_server(tmp_path: Path):
    (tmp_path / "hosts").write_text("one\n[more]\ntwo ansible_connection=local\n")
    servers = read_inventory(tmp_path / "hosts")
    assert [(one.name, one.local, one.port, one.folder) for one in servers] == [
        ("one", False, 22, "/srv/class"),
        ("two", True, 22, "/srv/class"),
    ]


def test_all_errors_are_reported_at_once(tmp_path: Path):
    text = (
        'a "ansible_port=1\nb ansible_port=70000 seats=none\nc class_folder=here ansible_host={{x}}\n'
        "d word\n!! x=1\n[all:vars]\nnothing\n"
    )
    said = problems_of(tmp_path, text)
    assert said == (
        "servers.ini:1: No closing quotation",
        "servers.ini:4: expected a server's name, and NAME=VALUE after it",
        "servers.ini:5: !!: expected a name such as server1 or server[1:3]",
        "servers.ini:7: expected NAME=VALUE",
        "b: ansible_port: 70000; allowed: a number from 1 to 65535",
        "b: seats: none; allowed: a number from 1 to 99",
        "c: class_folder: here; allowed: an absolute path",
        "c: ansible_host: labctl does not evaluate templates",
    )


def test_a_password_is_refused_and_never_shown(tmp_path: Path):
    said = problems_of(tmp_path, "a ansible_password=hunter2\n")
    assert said == ("a: ansible_password: labctl cannot use it; it logs in with a key",)
    assert "hunter2" not in str(problems_of(tmp_path, "a ansible_password='hunter2\n"))
    vault = problems_of(tmp_path, "all: {hosts: {a: {ansible_password: !vault hunter2}}}\n", "servers.yml")
    assert "hunter2" not in str(vault)


def test_two_servers_with_the_same_seats(tmp_path: Path):
    said = problems_of(tmp_path, "a seats=12 first_seat=1\nb seats=2 first_seat=12\n")
    assert said == ("b: some of its seats, 12 to 13, belong to a, too; change first_seat",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("servers.ini", ""),
        ("servers.yml", "[1, 2]"),
        ("servers.yml", "all: {hosts: [a]}"),
        ("servers.yml", "all: {host: {a: }}"),
        ("servers.yml", "a: &a {children: {b: {children: *a}}}"),
        ("servers.yml", "a: {children: " * 40 + "{}" + "}" * 40),
        ("servers.ini", "server[1:1000000000]"),
        ("servers.ini", "s[1:199]e[1:199]v[1:199]"),
        ("servers.ini", "a\n" * 300_000),
    ],
)
def test_strange_files(tmp_path: Path, name: str, text: str):
    assert problems_of(tmp_path, text, name)


def test_a_file_that_is_no_text(tmp_path: Path):
    (tmp_path / "servers.ini").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        read_inventory(tmp_path / "servers.ini")


@given(
    st.text(alphabet=st.sampled_from(list("ab1=[]:{}#\"' \n-,&*!")), max_size=80), st.sampled_from(["i.ini", "i.yml"])
)
def test_any_text_is_servers_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str, name: str):
    file = tmp_path_factory.getbasetemp() / name
    file.write_text(text)
    try:
        assert read_inventory(file)
    except ConfigError as error:
        assert error.problems
