"""Hosts for the probes: a folder in place of /, and programs that print what the test says. STAND-INS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.fake_host import FakeHost, fake_host

MakeHost = Callable[..., FakeHost]

# A Debian 12 machine with cgroup v2 alone.
FILES = {
    "proc/filesystems": "nodev\tproc\nnodev\toverlay\n\text4\n",
    "proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
    "proc/sys/net/ipv4/ip_forward": "0\n",
    "proc/cpuinfo": "flags : fpu vmx sse\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "usr/share/rubygems-integration/all/gems/vagrant-lxc-1.4.3/x": "",
    "usr/share/rubygems-integration/all/gems/vagrant-libvirt-0.11.2/x": "",
    "usr/sbin/libvirtd": "",
    "run/libvirt/libvirt-sock": "",
    "dev/kvm": "",
    "dev/vboxdrv": "",
}
PRINTED = {
    "vagrant --version": "Vagrant 2.4.9\n",
    "VBoxManage --version": "7.2.12r170000\n",
    "ip -json -4 route show table all": "[]",
}


@pytest.fixture
def make_host(tmp_path: Path) -> MakeHost:
    """Makes a host that has everything; files and printed replace what is there (None: not there at all)."""

    def make(
        files: Mapping[str, str | bytes | None] = {}, printed: Mapping[str, str | None] = {},
        missing: Sequence[str] = (), **others: Any,
    ) -> FakeHost:  # fmt: skip
        found = {name: text for name, text in {**FILES, **files}.items() if text is not None}
        answers = {line: text for line, text in {**PRINTED, **printed}.items() if text is not None}
        return fake_host(tmp_path, found, answers=answers, missing=missing, **others)

    return make
