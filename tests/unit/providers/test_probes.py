"""Each probe: what it finds on a host that has everything, and on one that lacks what it looks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support.probes import MakeHost, finding, on, probes_of

from labctl.errors import ExitCode, HostError
from labctl.model.lab import Lab, Provider
from labctl.providers.doctor import examine, failures, require
from labctl.providers.probe import AptPackages, Status, WriteFile

PLUGINS = "usr/share/rubygems-integration/all/gems"


@pytest.mark.parametrize("provider", Provider)
def test_a_host_that_has_everything_is_ready(article_lab: Lab, make_host: MakeHost, provider: Provider) -> None:
    examined = require(on(article_lab, provider), make_host())
    assert {one.finding.status for one in examined} == {Status.OK}
    assert {one.finding.remedy for one in examined} == {""}


@pytest.mark.parametrize("provider", Provider)
def test_every_probe_has_a_name_of_its_own(provider: Provider) -> None:
    names = [probe.name for probe in probes_of(provider)]
    assert names
    assert len(set(names)) == len(names)


def test_everything_that_fails_is_said_at_once(article_lab: Lab, make_host: MakeHost) -> None:
    host = make_host(
        {"proc/filesystems": "\text4\n", f"{PLUGINS}/vagrant-lxc-1.4.3/x": None},
        {"apt-cache show vagrant-lxc": "Package: vagrant-lxc\n"},
        missing=["vagrant", "nft"],
    )
    with pytest.raises(HostError) as caught:
        require(article_lab, host)
    assert caught.value.exit_code is ExitCode.HOST
    assert caught.value.what == "this host is not ready for a lab on lxc"
    assert caught.value.why == (
        "programs: vagrant, nft are not installed\n"
        "Vagrant's plugin for LXC: the plugin vagrant-lxc is missing\n"
        "overlay file system: this kernel has no overlay file system"
    )
    assert caught.value.next_step.splitlines() == [
        "apt install vagrant nftables",
        "apt install vagrant-lxc, or: vagrant plugin install vagrant-lxc",
        "a kernel that has one: Debian's, for example",
        "labctl doctor --fix",
    ]


# Provider, probe, how the host differs, the status, a part of what is said, a part of the remedy.
CASES: tuple[tuple[Provider, str, dict[str, Any], Status, str, str], ...] = (
    (Provider.LXC, "lxc.system", {"platform": "darwin"}, Status.FAIL, "containers need Linux", "virtualbox"),
    (Provider.LXC, "lxc.programs", {"missing": ["lxc-start"]}, Status.FAIL, "lxc-start is not", "apt install lxc"),
    (
        Provider.LXC, "lxc.plugin", {"files": {f"{PLUGINS}/vagrant-lxc-1.4.3/x": None}}, Status.FAIL,
        "no package of it", "vagrant plugin install vagrant-lxc",
    ),
    (
        Provider.LXC, "lxc.plugin",
        {"files": {f"{PLUGINS}/vagrant-lxc-1.4.3/x": None, f"{PLUGINS}/vagrant-lxc-extras-1.0/x": ""}},
        Status.FAIL, "missing", "",
    ),
    (
        Provider.LXC, "lxc.plugin",
        {"files": {
            f"{PLUGINS}/vagrant-lxc-1.4.3/x": None,
            "home/.vagrant.d/plugins.json": b'{"installed":{"vagrant-lxc":{"gem_version":"\xff"}}}',
        }},
        Status.OK, "installed", "",
    ),
    (Provider.LXC, "lxc.root", {"user": 1000}, Status.OK, "sudo", ""),
    (Provider.LXC, "lxc.root", {"user": 1000, "missing": ["sudo"]}, Status.FAIL, "sudo is not installed", "as root"),
    (Provider.LXC, "lxc.cgroups", {}, Status.OK, "version 2 alone", ""),
    (
        Provider.LXC, "lxc.cgroups", {"files": {"proc/self/mounts": "c /c cgroup rw\nd /d cgroup2 rw\n"}}, Status.OK,
        "version 1 and 2", "",
    ),
    (
        Provider.LXC, "lxc.cgroups", {"files": {"sys/fs/cgroup/cgroup.controllers": "pids"}}, Status.FAIL,
        "without the memory controller", "cgroup_enable=memory",
    ),
    (Provider.LXC, "lxc.cgroups", {"files": {"proc/self/mounts": ""}}, Status.FAIL, "no cgroup", "systemd"),
    (
        Provider.LXC, "lxc.overlay", {"files": {"proc/filesystems": "", "sys/module/overlay/x": ""}}, Status.OK,
        "is on ext4", "",
    ),
    (  # a stock Debian 12: nobody has mounted one since it booted
        Provider.LXC, "lxc.overlay",
        {"files": {"proc/filesystems": "", "lib/modules/6.1.0-30-amd64/modules.dep": "kernel/fs/overlay.ko:\n"}},
        Status.OK, "is on ext4", "",
    ),
    (
        Provider.LXC, "lxc.overlay",
        {"files": {"proc/self/mounts": "overlay / overlay rw\nx /var/lib/lxcfs fuse rw\nc /c cgroup rw\n"}},
        Status.FAIL, "is itself on an overlay", "a volume on /var/lib/lxc",
    ),
    (
        Provider.LXC, "lxc.modules",
        {"files": {"lib/modules/6.1.0-30-amd64/modules.dep": "kernel/net/bridge/bridge.ko: \nkernel/veth.ko.xz:\n"}},
        Status.FAIL, "lacks nf_tables, overlay", "linux-image",
    ),
    (
        Provider.LXC, "lxc.modules",
        {"files": {
            "lib/modules/6.1.0-30-amd64/modules.dep": "kernel/net/bridge/bridge.ko: \nkernel/veth.ko.xz:\n",
            "lib/modules/6.1.0-30-amd64/modules.builtin": "kernel/overlay.ko\n", "sys/module/nf_tables/x": "",
        }},
        Status.OK, "all here", "",
    ),
    (Provider.LXC, "lxc.forwarding", {}, Status.OK, "labctl switches it on", ""),
    (Provider.LXC, "lxc.forwarding", {"files": {"proc/sys/net/ipv4/ip_forward": "1"}}, Status.OK, "on", ""),
    (Provider.LXC, "lxc.forwarding", {"files": {"proc/sys/net/ipv4/ip_forward": None}}, Status.FAIL, "not route", ""),
    (Provider.LXC, "memory", {"memory_bytes": (900000 << 10, 800000 << 10)},
     Status.FAIL, "the lab takes 1320 MiB", "fewer workers"),
    (Provider.LXC, "memory", {"memory_bytes": (4000000 << 10, 800000 << 10)},
     Status.WARN, "781 MiB of 3906 MiB are free", "fewer workers"),
    (Provider.VIRTUALBOX, "memory", {"memory_bytes": (7000000 << 10, 7000000 << 10)},
     Status.FAIL, "the lab takes 7168 MiB", "memory"),
    (Provider.LXC, "cpus", {"cpus": 1}, Status.WARN, "1 processor", "longer"),
    (Provider.LIBVIRT, "disk", {"free_bytes": 5 << 30}, Status.WARN, "5.0 GiB are free", "free some"),
    (Provider.LIBVIRT, "disk", {"free_bytes": 5 << 20}, Status.FAIL, "the lab may take 16 GiB", "free some"),
    (
        Provider.LXC, "routes",
        {"printed": {"ip -json -4 route show table all": '[{"dst": "192.168.0.0/16", "dev": "wlan0"}]'}},
        Status.FAIL, "network.subnet 192.168.56.0/24 overlaps 192.168.0.0/16, which this host routes by wlan0",
        "choose another network in labctl.yaml (network.subnet)",
    ),
    (
        Provider.VIRTUALBOX, "memory", {"platform": "win32", "memory_bytes": (8 << 30, 2 << 30)}, Status.WARN,
        "2048 MiB of 8192 MiB are free; a new lab takes 7168 MiB", "fewer workers",
    ),
    (
        Provider.VIRTUALBOX, "routes",
        {"platform": "darwin", "printed": {"netstat -rn -f inet": "192.168.56          link#6    UCS    en0      !\n"}},
        Status.FAIL, "network.subnet 192.168.56.0/24 overlaps 192.168.56.0/24, which this host routes by en0",
        "network.subnet",
    ),
    (Provider.LIBVIRT, "libvirt.system", {"platform": "win32"}, Status.FAIL, "for Linux", "virtualbox"),
    (
        Provider.LIBVIRT, "libvirt.programs", {"missing": ["qemu-system-x86_64"], "files": {"usr/sbin/libvirtd": None}},
        Status.FAIL, "qemu-system-x86_64, libvirtd are not installed",
        "apt install qemu-system-x86 libvirt-daemon-system",
    ),
    (
        Provider.LIBVIRT, "libvirt.plugin", {"files": {f"{PLUGINS}/vagrant-libvirt-0.11.2/x": None}}, Status.FAIL,
        "missing", "apt install vagrant-libvirt",
    ),
    (Provider.LIBVIRT, "libvirt.daemon", {"files": {"run/libvirt/libvirt-sock": None}}, Status.FAIL, "does not run",
     "systemctl enable --now libvirtd"),
    (Provider.LIBVIRT, "libvirt.daemon", {"user": 1000}, Status.FAIL, "you may not", "adduser $USER libvirt"),
    (Provider.LIBVIRT, "libvirt.daemon", {"user": 1000, "printed": {"id -Gn": "me libvirt\n"}}, Status.OK, "runs", ""),
    (Provider.LIBVIRT, "libvirt.kvm", {"files": {"dev/kvm": None}}, Status.WARN, "ten times slower", "firmware"),
    (Provider.LIBVIRT, "libvirt.kvm", {"unusable": ["/dev/kvm"]}, Status.WARN, "ten times slower", "adduser"),
    (Provider.VIRTUALBOX, "virtualbox.installed", {"printed": {"VBoxManage --version": None}}, Status.FAIL,
     "not installed", "virtualbox.org"),
    (Provider.VIRTUALBOX, "virtualbox.installed",
     {"printed": {"VBoxManage --version": "WARNING: The vboxdrv kernel module is not loaded. 1.2\n7.0.20r163906\n"}},
     Status.OK, "7.0.20", ""),
    (Provider.VIRTUALBOX, "virtualbox.installed",
     {"platform": "win32", "missing": ["VBoxManage"], "environment": {"VBOX_MSI_INSTALL_PATH": "C:\\nowhere;D:\\vb\\"},
      "files": {"D:\\vb\\VBoxManage.exe": ""}, "printed": {"D:\\vb\\VBoxManage.exe --version": "7.2.4r1"}},
     Status.OK, "7.2.4", ""),
    (Provider.VIRTUALBOX, "virtualbox.installed",
     {"platform": "win32", "missing": ["VBoxManage"], "environment": {"PROGRAMFILES": "E:\\programs"},
      "files": {"E:\\programs\\Oracle\\VirtualBox\\VBoxManage.exe": ""},
      "printed": {"E:\\programs\\Oracle\\VirtualBox\\VBoxManage.exe --version": "7.2.4r1"}}, Status.OK, "7.2.4", ""),
    (Provider.VIRTUALBOX, "virtualbox.vagrant", {"printed": {"vagrant --version": None}}, Status.FAIL, "", "Vagrant"),
    (Provider.VIRTUALBOX, "virtualbox.vagrant", {"printed": {"vagrant --version": "Vagrant 2.4.8"}}, Status.OK,
     "2.4.8 drives VirtualBox 7.2.12 as if it were 7.0", ""),
    (Provider.VIRTUALBOX, "virtualbox.vagrant",
     {"printed": {"vagrant --version": "Vagrant 2.3.4", "VBoxManage --version": "7.1.6r1"}}, Status.OK,
     "2.3.4 drives VirtualBox 7.1.6 as if it were 7.0", ""),
    (Provider.VIRTUALBOX, "virtualbox.vagrant", {"printed": {"vagrant --version": "Vagrant 2.2.19"}}, Status.FAIL,
     "does not know VirtualBox 7.2.12", "install Vagrant 2.3.2 or newer"),
    (Provider.VIRTUALBOX, "virtualbox.vagrant",
     {"printed": {"vagrant --version": "Vagrant 2.3.4", "VBoxManage --version": "7.0.20r1"}}, Status.OK, "knows", ""),
    (Provider.VIRTUALBOX, "virtualbox.vagrant", {"printed": {"VBoxManage --version": "7.3.0r1"}}, Status.WARN,
     "newer than labctl knows", "install VirtualBox 7.2"),
    (Provider.VIRTUALBOX, "virtualbox.apple",
     {"platform": "darwin", "machine": "arm64", "printed": {"VBoxManage --version": "7.1.4r1"}}, Status.FAIL,
     "no machines for Apple's", "7.1.6"),
    (Provider.VIRTUALBOX, "virtualbox.driver",
     {"files": {"dev/vboxdrv": None, "sys/firmware/efi/efivars/SecureBoot-8be4df61": b"\x06\0\0\0\x01"}}, Status.FAIL,
     "Secure Boot refuses", "sign it"),
    (Provider.VIRTUALBOX, "virtualbox.driver",
     {"files": {"dev/vboxdrv": None, "sys/firmware/efi/efivars/SecureBoot-8be4df61": b"\x06\0\0\0\0"}}, Status.FAIL,
     "the headers of Linux 6.1.0-30-amd64 are missing", "linux-headers-6.1.0-30-amd64 && sudo modprobe --all vboxdrv"),
    (Provider.VIRTUALBOX, "virtualbox.driver",
     {"files": {"dev/vboxdrv": None, "sbin/vboxconfig": "", "lib/modules/6.1.0-30-amd64/build/x": ""}}, Status.FAIL,
     "not loaded", "sudo /sbin/vboxconfig"),
    (Provider.VIRTUALBOX, "virtualbox.driver",  # Debian's package, before its modules are built
     {"files": {"dev/vboxdrv": None, "lib/modules/6.1.0-30-amd64/build/x": ""}, "printed": {"VBoxManage --version": (
         "WARNING: The character device /dev/vboxdrv does not exist.\n"
         "\t Please install the virtualbox-dkms package and the appropriate\n"
         "\t headers, most likely linux-headers-amd64.\n\n"
         "\t You will not be able to start VMs until this problem is fixed.\n7.2.22_Debianr175245\n")}}, Status.FAIL,
     "not loaded", "sudo modprobe --all vboxdrv vboxnetflt vboxnetadp"),
    (Provider.VIRTUALBOX, "virtualbox.processor", {"files": {"proc/cpuinfo": "flags : fpu sse\n"}}, Status.FAIL,
     "neither VT-x nor AMD-V", "firmware"),
    (Provider.VIRTUALBOX, "virtualbox.kvm",
     {"files": {"sys/module/kvm_intel/x": ""}, "release": "6.12.3-amd64",
      "printed": {"VBoxManage --version": "7.1.6r1"}},
     Status.FAIL, "kvm_intel of Linux 6.12.3-amd64 holds", "modprobe --remove kvm_intel"),
    (Provider.VIRTUALBOX, "virtualbox.kvm",
     {"files": {"sys/module/kvm_amd/refcnt": "3\n"}, "release": "6.1.0",
      "printed": {"VBoxManage --version": "7.1.6r1"}},
     Status.FAIL, "a machine of KVM's runs, and holds VT-x or AMD-V by kvm_amd", "end it"),
    (Provider.VIRTUALBOX, "virtualbox.kvm",
     {"files": {"sys/module/kvm_amd/refcnt": "0\n"}, "release": "6.1.0",
      "printed": {"VBoxManage --version": "7.1.6r1"}},
     Status.OK, "leaves the processor alone", ""),
    (Provider.VIRTUALBOX, "virtualbox.kvm",
     {"files": {"sys/module/kvm_amd/x": ""}, "release": "6.11.9", "printed": {"VBoxManage --version": "7.1.6r1"}},
     Status.OK, "leaves the processor alone", ""),
    (Provider.VIRTUALBOX, "virtualbox.kvm",
     {"files": {"sys/module/kvm_amd/x": "", "sys/module/kvm/parameters/enable_virt_at_load": "N\n"},
      "release": "6.12.9", "printed": {"VBoxManage --version": "7.1.6r1"}},
     Status.OK, "leaves the processor alone", ""),
    (Provider.VIRTUALBOX, "virtualbox.kvm",
     {"files": {"sys/module/kvm_amd/x": "", "sys/module/kvm/parameters/enable_virt_at_load": "N\n"}, "release": "6.16"},
     Status.WARN, "does not want", "remove it from /etc/modprobe.d"),
    (Provider.VIRTUALBOX, "virtualbox.kvm", {"files": {"sys/module/kvm_amd/x": ""}, "release": "6.16"}, Status.OK,
     "shares the processor", ""),
    # Seen with VirtualBox 7.2.22 on Linux 6.12: with enable_virt_at_load=1 VERR_SVM_IN_USE, with 0 the machine starts.
    (Provider.VIRTUALBOX, "virtualbox.kvm",
     {"files": {"sys/module/kvm_amd/x": "", "sys/module/kvm/parameters/enable_virt_at_load": "Y\n"},
      "release": "6.12.90+deb13-cloud-amd64", "printed": {"VBoxManage --version": "7.2.22_Debianr175245"}},
     Status.FAIL, "holds VT-x or AMD-V", "enable_virt_at_load=0"),
    (Provider.VIRTUALBOX, "virtualbox.kvm",
     {"files": {"sys/module/kvm_amd/x": "", "sys/module/kvm/parameters/enable_virt_at_load": "N\n"},
      "release": "6.15.4", "printed": {"VBoxManage --version": "7.2.22_Debianr175245"}},
     Status.OK, "leaves the processor alone", ""),
    (Provider.VIRTUALBOX, "virtualbox.hyperv",
     {"platform": "win32", "printed": {
         "powershell -NoProfile -Command (Get-CimInstance Win32_ComputerSystem).HypervisorPresent": "True\r\n"}},
     Status.WARN, "Hyper-V", "bcdedit"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "name", "differs", "status", "found", "remedy"),
    CASES,
    ids=[f"{number}-{case[1]}" for number, case in enumerate(CASES)],
)
def test_a_probe(
    article_lab: Lab, make_host: MakeHost, provider: Provider, name: str, differs: dict[str, Any], status: Status,
    found: str, remedy: str,
) -> None:  # fmt: skip
    seen = finding(on(article_lab, provider), make_host(**differs), name)
    assert seen is not None
    assert (seen.status, found in seen.found, remedy in seen.remedy) == (status, True, True), seen
    assert bool(seen.remedy) is (status is not Status.OK)


@pytest.mark.parametrize(
    ("kind", "files", "status", "said"),
    [
        ("vxlan", {"sys/module/vxlan/x": ""}, Status.OK, "the kernel has vxlan"),
        ("ipip", {"lib/modules/6.1.0-30-amd64/modules.dep": "kernel/net/ipv4/ipip.ko.xz: x\n"}, Status.OK, "has ipip"),
        ("ipip", {"proc/kallsyms": "0 t ipip_tunnel_xmit\n"}, Status.OK, "the kernel has ipip built in"),
        ("ipip", {"proc/kallsyms": "0 t vxlan_xmit\n0 t ipip_gro_receive\n"}, Status.FAIL, "this kernel has no ipip"),
    ],
)
def test_a_tunnel_needs_a_kernel_that_has_it(
    make_lab: Callable[[str], Lab], make_host: MakeHost, kind: str, files: dict[str, str], status: Status, said: str
) -> None:
    lab = make_lab(f"source: upstream\nnetwork: {{encapsulation: {kind}}}\n")
    seen = finding(on(lab, Provider.LXC), make_host(files=files), "lxc.tunnel")
    assert seen is not None
    assert (seen.status, said in seen.found) == (status, True), seen


@pytest.mark.parametrize(
    ("config", "proxies", "status", "said"),
    [
        (
            "upstream",
            {"http_proxy": "http://teacher:secret@127.0.0.1:3128/"},
            Status.FAIL,
            "http_proxy is 127.0.0.1:3128: ",
        ),
        ("upstream", {"HTTPS_PROXY": "localhost:8080"}, Status.FAIL, "https_proxy is localhost:8080: "),
        ("upstream", {"http_proxy": "http://[::1]:3128"}, Status.FAIL, "http_proxy is [::1]:3128: "),
        ("upstream\nsources: {cache: http://192.0.2.9:1}", {"http_proxy": "127.8.0.1:1"}, Status.WARN, "127.8.0.1:1"),
        ("upstream", {"http_proxy": "http://192.0.2.9:3128", "https_proxy": "http://proxy.school.example"}, None, ""),
        ("upstream", {"no_proxy": "localhost,127.0.0.1"}, None, ""),
        ("debian", {"http_proxy": "http://127.0.0.1:3128"}, None, ""),
    ],
)
def test_a_proxy_on_the_host_s_loopback_is_none_for_the_machines(
    make_lab: Callable[[str], Lab], make_host: MakeHost, config: str, proxies: dict[str, str], status: Status | None,
    said: str,
) -> None:  # fmt: skip
    seen = finding(make_lab(f"source: {config}\n"), make_host(environment=proxies), "proxy")
    assert (seen and seen.status) == status
    assert seen is None or (said in seen.found and "secret" not in seen.found), seen


def test_each_probe_can_find_something_wrong() -> None:
    """No probe is there that the table above has not seen complain (or a test of its own)."""
    complained = {case[1] for case in CASES if case[3] is not Status.OK} | {
        "virtualbox.networks",
        "lxc.tunnel",
        "proxy",
        "versions",
        "publishers",
    }
    assert complained == {probe.name for provider in Provider for probe in probes_of(provider)}


def test_what_apt_can_install_is_a_fix(article_lab: Lab, make_host: MakeHost) -> None:
    host = make_host({f"{PLUGINS}/vagrant-lxc-1.4.3/x": None}, {"apt-cache show vagrant-lxc": "Package: x"}, ["ip"])
    fixes = [one.finding.fix for one in failures(examine(article_lab, host))]
    assert fixes == [AptPackages(("iproute2",)), AptPackages(("vagrant-lxc",))]


def test_debian_13_has_no_package_of_the_plugin(article_lab: Lab, make_host: MakeHost) -> None:
    seen = finding(article_lab, make_host({f"{PLUGINS}/vagrant-lxc-1.4.3/x": None}), "lxc.plugin")
    assert seen is not None
    assert (seen.fix, seen.remedy) == (None, "vagrant plugin install vagrant-lxc")


@pytest.mark.parametrize(
    ("conf", "line"),
    [(None, "* 192.168.56.0/21 192.168.50.0/24"), ("* 10.0.0.0/8", "* 192.168.50.0/24")],
)
def test_a_forbidden_subnet_has_both_remedies_and_a_fix(
    article_lab: Lab, make_host: MakeHost, conf: str | None, line: str
) -> None:
    host = make_host({"etc/vbox/networks.conf": conf})
    seen = finding(replace(article_lab, provider=Provider.VIRTUALBOX), host, "virtualbox.networks")
    assert seen is not None
    assert seen.status is Status.FAIL
    assert seen.remedy == (
        f"network.subnet: 192.168.56.0/24 in labctl.yaml; or the line `{line}` in /etc/vbox/networks.conf"
    )
    assert isinstance(seen.fix, WriteFile)
    assert seen.fix.text == (f"{conf}\n" if conf else "") + line + "\n"
