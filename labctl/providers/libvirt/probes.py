"""Probes for libvirt's machines: programs, Vagrant's plugin, the daemon, and hardware virtualization."""

from __future__ import annotations

from labctl.host.host import Host
from labctl.model.lab import Lab
from labctl.providers.common_probes import has_plugin
from labctl.providers.probe import Finding, Probe, fail, missing_packages, ok, warn

# Each program, and Debian's package that brings it. The daemon's own is in a folder that is not on a user's PATH.
_PROGRAMS = {
    "vagrant": "vagrant",
    "virsh": "libvirt-clients",
    "qemu-img": "qemu-utils",
}
_EMULATORS = {
    "x86_64": ("qemu-system-x86_64", "qemu-system-x86"),
    "aarch64": ("qemu-system-aarch64", "qemu-system-arm"),
}
_DAEMONS = ("/usr/sbin/libvirtd", "/usr/sbin/virtqemud")
_SOCKETS = ("/run/libvirt/libvirt-sock", "/var/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock")
_KVM = "/dev/kvm"
PLUGIN = "vagrant-libvirt"


def kvm_works(host: Host) -> bool:
    """Whether libvirt's machines can run on the processor itself."""
    return host.can_open(host.path(_KVM))


def _system(lab: Lab, host: Host) -> Finding | None:
    if host.is_linux:
        return ok("Linux")
    return fail(f"{host.platform}: this provider is for Linux", "labctl up --provider virtualbox")


def _programs(lab: Lab, host: Host) -> Finding | None:
    emulator, package = _EMULATORS.get(host.machine, _EMULATORS["x86_64"])
    wanted = {**_PROGRAMS, emulator: package}
    missing = {program: package for program, package in wanted.items() if host.find(program) is None}
    if not any(host.exists(daemon) for daemon in _DAEMONS):
        missing["libvirtd"] = "libvirt-daemon-system"
    if not missing:
        return ok("all here")
    are = "is" if len(missing) == 1 else "are"
    return missing_packages(f"{', '.join(missing)} {are} not installed", *missing.values())


def _plugin(lab: Lab, host: Host) -> Finding | None:
    if has_plugin(host, PLUGIN):
        return ok("installed")
    remedy = f"apt install {PLUGIN}, or: vagrant plugin install {PLUGIN}"
    return missing_packages(f"the plugin {PLUGIN} is missing", PLUGIN, remedy=remedy)


def _daemon(lab: Lab, host: Host) -> Finding | None:
    sockets = [socket for socket in _SOCKETS if host.exists(socket)]
    if not sockets:
        return fail("libvirt's daemon does not run", "systemctl enable --now libvirtd")
    if host.user != 0 and "libvirt" not in (host.ask(["id", "-Gn"], 5.0) or "").split():
        return fail("you may not talk to libvirt's daemon", "adduser $USER libvirt, then log in again")
    return ok("runs")


def _kvm(lab: Lab, host: Host) -> Finding | None:
    if lab.emulated and kvm_works(host):
        return ok("there, but labctl.yaml says emulated: true")
    if kvm_works(host):
        return ok("there")
    found = "no KVM: the machines are emulated in software, about ten times slower"
    if host.exists(_KVM):
        return warn(found, "if this processor can virtualize: adduser $USER kvm, then log in again")
    return warn(found, "switch on VT-x or AMD-V in the firmware, or use --provider lxc")


PROBES = (
    Probe("libvirt.system", "operating system", _system),
    Probe("libvirt.programs", "programs", _programs),
    Probe("libvirt.plugin", "Vagrant's plugin for libvirt", _plugin),
    Probe("libvirt.daemon", "libvirt's daemon", _daemon),
    Probe("libvirt.kvm", "hardware virtualization", _kvm),
)
