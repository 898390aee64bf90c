from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_host import FakeHost

from labctl.box.mirror import ARCHIVE, KEYRING, SECURITY, Mirror, host_arch, host_mirror, pick
from labctl.errors import HostError

TARGETS = [
    "Google|Google|Packages|http://packages.example.org/",
    "Debian|Debian|Sources|http://sources.example.org/debian/",
    "Debian|Debian-Security|Packages|http://near.example.org/debian-security/",
    "Debian|Debian|Packages|http://near.example.org/debian/",
    "Debian|Debian|Packages|http://far.example.org/debian/",
]


def test_the_first_debian_mirror_counts():
    assert pick(TARGETS, "Debian", ARCHIVE) == "http://near.example.org/debian"
    assert pick(TARGETS, "Debian-Security", SECURITY) == "http://near.example.org/debian-security"


def test_a_host_without_debian_mirrors_gets_debians_own():
    ubuntu = ["Ubuntu|Ubuntu|Packages|http://archive.ubuntu.com/ubuntu/"]
    assert pick(ubuntu, "Debian", ARCHIVE) == ARCHIVE
    assert pick([], "Debian-Security", SECURITY) == SECURITY


@pytest.mark.parametrize("uri", ["cdrom://disk/", "file:/srv/debian/", "mirror+file:/etc/apt/mirrors/x.list"])
def test_mirrors_that_need_local_files_are_passed_over(uri):
    assert pick([f"Debian|Debian|Packages|{uri}"], "Debian", ARCHIVE) == ARCHIVE


@given(st.lists(st.text(alphabet=st.characters(blacklist_characters="\n"))))
def test_no_line_of_any_kind_is_taken_for_a_mirror_unless_it_is_one(lines):
    found = pick(lines, "Debian", ARCHIVE)
    assert found == ARCHIVE or any(line.strip().startswith("Debian|Debian|Packages|http") for line in lines)


def test_the_lines_name_updates_security_and_the_keys():
    lines = Mirror("http://m/debian", "http://m/sec", Path("/k.gpg")).lines("trixie", "deb-src").splitlines()
    assert lines == [
        "deb-src [signed-by=/k.gpg] http://m/debian trixie main",
        "deb-src [signed-by=/k.gpg] http://m/debian trixie-updates main",
        "deb-src [signed-by=/k.gpg] http://m/sec trixie-security main",
    ]


def host(tmp_path, **more):
    keys = tmp_path / KEYRING.relative_to("/")
    keys.parent.mkdir(parents=True)
    keys.touch()
    return FakeHost(root=tmp_path, **more)


def test_without_the_archives_keys_nothing_is_built(tmp_path):
    with pytest.raises(HostError) as caught:
        host_mirror(FakeHost(root=tmp_path))
    assert "debian-archive-keyring" in caught.value.next_step


def test_a_host_without_apt_still_gets_a_mirror(tmp_path):
    found = host_mirror(host(tmp_path, missing={"apt-get", "apt-config"}))
    assert found == Mirror(keyring=tmp_path / KEYRING.relative_to("/"))


def test_proxy_settings_are_honoured(tmp_path):
    answers = {"apt-get": "\n".join(TARGETS), "apt-config": 'Acquire::http::Proxy "http://proxy:3142";\n'}
    found = host_mirror(host(tmp_path, answers=answers))
    assert found.archive == "http://near.example.org/debian"
    assert found.apt_conf() == 'Acquire::http::Proxy "http://proxy:3142";\n'


def test_the_architecture_is_debians(tmp_path):
    assert host_arch(FakeHost(root=tmp_path, answers={"dpkg": "arm64\n"})) == "arm64"
    with pytest.raises(HostError, match="Debian"):
        host_arch(FakeHost(root=tmp_path, missing={"dpkg"}))
