import os
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.fake_host import FakeHost

from labctl.config import Overrides, parse
from labctl.config.init_text import init_text
from labctl.errors import ConfigError
from labctl.model.lab import Lab, Provider, Role, Source
from labctl.providers.load import load_lab


def lab_of(folder: Path, chosen: Provider = Provider.LXC, **overrides) -> Lab:
    """chosen: what ``provider: auto`` is on that host."""
    hosts = {Provider.LXC: FakeHost(platform="linux"), Provider.VIRTUALBOX: mac("6.1.26r145957")}
    return load_lab(folder, overrides=Overrides(**overrides), host=hosts[chosen])


def mac(virtualbox: str | Callable[[Sequence[str], str], str]) -> FakeHost:
    """A host on which VirtualBox works."""
    return FakeHost(platform="darwin", answers={"VBoxManage": virtualbox})


def written(folder: Path, text: str | bytes) -> Path:
    (folder / "labctl.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_no_file_is_the_articles_lab(tmp_path):
    lab = lab_of(tmp_path)
    assert [(machine.name, str(machine.address), machine.role) for machine in lab.machines] == [
        ("ingress", "192.168.50.21", Role.INGRESS),
        ("controlplane", "192.168.50.22", Role.CONTROLPLANE),
        ("worker1", "192.168.50.23", Role.WORKER),
        ("worker2", "192.168.50.24", Role.WORKER),
    ]
    network = lab.network
    assert (network.gateway, network.pod_cidr) == (IPv4Address("192.168.50.1"), IPv4Network("172.16.0.0/16"))
    assert (network.block_size, network.as_number, network.ingress_as_number) == (26, 65000, 65000)
    assert (lab.app.host, lab.app.replicas, lab.app.image) == ("test.local", 5, "jmalloc/echo-server")


@pytest.mark.parametrize(
    "text", ["", "\n# nothing\n", "---\n", "{}", "network:\nworkers:\n", b"\xef\xbb\xbf", b"# \r\n", init_text()]
)
def test_files_that_say_nothing(tmp_path, text):
    assert lab_of(written(tmp_path, text)) == lab_of(tmp_path / "no such folder")


def test_every_key_of_init_is_a_key(tmp_path):
    text = "\n".join(line.replace("#", "", 1) if line.lstrip().startswith("#") and line.lstrip()[1] != " " else line
                     for line in init_text().splitlines())  # fmt: skip
    assert "\n  subnet: 192.168.50.0/24\n" in text
    text = text.replace("  vip: 192.168.50.20\n", "")  # it has no default where there is one ingress machine
    lab, default = lab_of(written(tmp_path, text)), lab_of(tmp_path / "none")
    assert (lab.machines, lab.network, lab.app) == (default.machines, default.network, default.app)


def test_provider_and_source_follow_each_other(tmp_path):
    assert lab_of(tmp_path, Provider.LXC).source is Source.DEBIAN
    assert lab_of(tmp_path, Provider.VIRTUALBOX).source is Source.UPSTREAM
    assert lab_of(written(tmp_path, "provider: libvirt\nsource: debian\n")).source is Source.DEBIAN


def test_the_file_is_read_once_however_much_it_leaves_open(tmp_path):
    written(tmp_path, "workers: 3\nnetwork: {encapsulation: vxlan}\n")

    def read_before(_command: Sequence[str], _stdin: str) -> str:
        (tmp_path / "labctl.yaml").unlink(missing_ok=True)
        return "6.1.26r145957"

    lab = load_lab(tmp_path, host=mac(read_before))
    assert (len(lab.workers), lab.source) == (3, Source.UPSTREAM)


def test_versions_hold_for_upstream_only(tmp_path):
    written(tmp_path, 'versions: {kubernetes: "1.34.2"}\n')
    assert lab_of(tmp_path, Provider.VIRTUALBOX).versions.kubernetes == "1.34.2"
    assert lab_of(tmp_path, Provider.LXC).versions.kubernetes == ""


def test_64_workers_have_addresses(tmp_path):
    lab = lab_of(written(tmp_path, "workers: 64\n"))
    assert str(lab.workers[-1].address) == "192.168.50.86"


def test_overrides_go_before_the_file_and_are_checked(tmp_path):
    written(tmp_path, "workers: 3\nnetwork: {subnet: 10.0.0.0/27}\n")
    assert len(lab_of(tmp_path, workers=8).workers) == 8
    with pytest.raises(ConfigError) as caught:
        lab_of(tmp_path, workers=9, provider="vbox")
    assert caught.value.problems == (
        "command line: provider: vbox; allowed: one of auto, virtualbox, lxc, libvirt",
        "command line: workers: 9 workers, but 10.0.0.0/27 has addresses for 8; allowed: at most 8 workers in this "
        "subnet, or a larger network.subnet",
    )


def test_not_a_file(tmp_path):
    file = tmp_path / "labctl.yaml"
    file.symlink_to("nowhere")
    wrong(tmp_path, "labctl.yaml:1: a symbolic link to a file that does not exist; allowed: a text file, or none")
    file.unlink()
    file.mkdir()
    wrong(tmp_path, "labctl.yaml:1: something that is not a file; allowed: a text file")
    file.rmdir()
    os.mkfifo(file)
    wrong(tmp_path, "labctl.yaml:1: something that is not a file; allowed: a text file")
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(ConfigError, match="can't be read"):
        lab_of(tmp_path)


def wrong(folder: Path, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        lab_of(folder)
    assert caught.value.problems == (problem,)


def only_config_errors(content: bytes) -> None:
    try:
        parse(content)
    except ConfigError as error:
        assert error.problems
        assert all(line.isprintable() and line.startswith("labctl.yaml:") for line in error.problems)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"%YAML 99999999999999999999.1\n---\n")
@example(b'name: "\\x"')
def test_bytes_never_break_the_loader(content):
    only_config_errors(content)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=200))
@example("- " * 100)
@example("{" * 100000)
@example("a: !<!> 1")
@example("name: !!binary x")
@example("? ")
@example("name: 2001-01-01\nworkers: 1e400\n")
def test_text_never_breaks_the_loader(text):
    only_config_errors(text.encode("utf-8", "surrogatepass"))


YAMLISH = st.lists(
    st.sampled_from(
        ["name", "workers", "network", "subnet", "app", ":", ": ", "\n", "\n  ", "- ", "{", "}", "[", "]", ", ", "&a",
         "*a", "!!int ", "!x ", "'", "|", ">", "#", "%YAML 1.1\n", "---\n", "...\n", "? ", "\\U", "0x", "1_0", "1e9",
         ".inf", "null", "~", "true", "10.0.0.0/24", "\t", "<<", "=", "0b1", "0o9", "-1", "\""]
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(YAMLISH)
def test_pieces_of_yaml_never_break_the_loader(pieces):
    only_config_errors("".join(pieces).encode())


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=3),
    st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "255.255.255.255/32", "172.16.0.0/32", "1.35", "lab"]),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_of_any_key_never_breaks_the_loader(data):
    import json

    from labctl.config.keys import all_keys

    document: dict = {}
    for path in data.draw(st.lists(st.sampled_from(all_keys()), max_size=8)):
        value = data.draw(VALUES)
        if len(path) == 1:
            document[path[0]] = value
        elif isinstance(document.setdefault(path[0], {}), dict):
            document[path[0]][path[1]] = value
    only_config_errors(json.dumps(document).encode())


def test_a_second_ingress_machine_and_the_address_they_share(tmp_path):
    lab = lab_of(written(tmp_path, "ingress: {count: 2}\nworkers: 64\n"))
    assert [str(machine.address) for machine in lab.ingresses] == ["192.168.50.21", "192.168.50.19"]
    assert [machine.name for machine in lab.ingresses] == ["ingress", "ingress2"]
    assert (str(lab.entry), lab.vip.advert_interval) == ("192.168.50.20", 1.0)
    addresses = [machine.address for machine in lab.machines]
    assert len({*addresses, lab.entry, lab.network.gateway}) == len(addresses) + 2
    assert lab.behind(lab.ingresses[1]).ingress == lab.ingresses[1]


def test_with_one_ingress_machine_clients_ask_that_one(tmp_path):
    lab = lab_of(tmp_path / "none")
    assert (lab.entry, lab.vip, lab.ingresses) == (lab.ingress.address, None, (lab.ingress,))


def test_nothing_unprintable_is_suggested():
    only_config_errors(b'versions: {kubernetes: "v\\u200e1"}')


def test_what_only_one_source_can_do_is_refused_where_the_other_is_chosen(tmp_path):
    """source: auto is debian on LXC and upstream on virtual machines."""
    written(tmp_path, "network: {encapsulation: vxlan}\nbgp: {bfd: true}\n")
    for provider, key in ((Provider.LXC, "network.encapsulation: vxlan"), (Provider.VIRTUALBOX, "bgp.bfd: BFD")):
        with pytest.raises(ConfigError) as caught:
            lab_of(tmp_path, provider)
        assert [key in problem for problem in caught.value.problems] == [True]
