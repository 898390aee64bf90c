"""Probes for VirtualBox: installed and loaded, with a Vagrant that knows it, and allowed to use the lab's subnet."""

from __future__ import annotations

from labctl.host.command import Version, version_text
from labctl.host.host import Host
from labctl.model.lab import Lab
from labctl.providers.common_probes import vagrant_version
from labctl.providers.probe import Finding, Probe, WriteFile, fail, ok, warn
from labctl.providers.virtualbox.programs import (
    FIRST_VMNET,
    NETWORKS_CONF,
    SUBSTITUTE,
    allowed_ranges,
    is_allowed,
    networks_conf_with,
    virtualbox_version,
)

# The oldest Vagrant that knows a VirtualBox of these (Vagrant's CHANGELOG). With labctl's Vagrantfile, one that
# knows 7.0 drives the later ones as well.
_OLDEST_VAGRANT: tuple[tuple[Version, Version], ...] = (
    ((7, 2), (2, 4, 9)),
    ((7, 1), (2, 4, 2)),
    ((7, 0), (2, 3, 2)),
)
# bento's boxes for Apple's processors want this VirtualBox (bento, README).
_OLDEST_ON_APPLE = (7, 1, 6)
_DRIVER = "/dev/vboxdrv"
_VBOXCONFIG = "/sbin/vboxconfig"
_KVM_MODULES = ("kvm_intel", "kvm_amd")
# Since Linux 6.12 KVM takes VT-x or AMD-V as soon as it is loaded, unless its option enable_virt_at_load is 0.
_GREEDY_KERNEL = (6, 12)
# From both of these on, VirtualBox and KVM share them. On 6.12 with VirtualBox 7.2.22 they were seen not to.
_SHARING_KERNEL, _SHARING_VIRTUALBOX = (6, 16), (7, 2, 10)
_INSTALL = "install VirtualBox from https://www.virtualbox.org/wiki/Downloads"


def _installed(lab: Lab, host: Host) -> Finding | None:
    version = virtualbox_version(host)
    return ok(version_text(version)) if version else fail("VBoxManage is not installed, or does not answer", _INSTALL)


def _vagrant(lab: Lab, host: Host) -> Finding | None:
    version = vagrant_version(host)
    if version is None:
        return fail("Vagrant is not installed", "install Vagrant from https://developer.hashicorp.com/vagrant/install")
    virtualbox = virtualbox_version(host)
    if virtualbox is None:
        return ok(version_text(version))
    if virtualbox[:2] > _OLDEST_VAGRANT[0][0]:
        found = f"{version_text(version)}; VirtualBox {version_text(virtualbox)} is newer than labctl knows"
        return warn(found, f"if Vagrant refuses it, install VirtualBox {version_text(_OLDEST_VAGRANT[0][0])}")
    for series, oldest in _OLDEST_VAGRANT:
        if virtualbox[:2] == series and _OLDEST_VAGRANT[-1][1] <= version < oldest:
            drives = f"{version_text(version)} drives VirtualBox {version_text(virtualbox)}"
            return ok(f"{drives} as if it were 7.0 (labctl's Vagrantfile sees to it)")
        if virtualbox[:2] == series and version < oldest:
            found = f"{version_text(version)} does not know VirtualBox {version_text(virtualbox)}"
            return fail(found, f"install Vagrant {version_text(_OLDEST_VAGRANT[-1][1])} or newer")
    return ok(f"{version_text(version)} knows VirtualBox {version_text(virtualbox)}")


def _apple(lab: Lab, host: Host) -> Finding | None:
    version = virtualbox_version(host)
    if not host.is_macos or host.machine != "arm64" or version is None:
        return None
    if version < _OLDEST_ON_APPLE:
        found = f"VirtualBox {version_text(version)} runs no machines for Apple's processors"
        return fail(found, f"install VirtualBox {version_text(_OLDEST_ON_APPLE)} or newer")
    return ok("an ARM machine, with ARM boxes")


def _driver(lab: Lab, host: Host) -> Finding | None:
    if not host.is_linux or virtualbox_version(host) is None:
        return None
    if host.exists(_DRIVER):
        return ok("loaded")
    if _secure_boot(host):
        found = "the kernel module vboxdrv is not loaded, and Secure Boot refuses modules without a known signature"
        return fail(found, f"sign it: sudo {_VBOXCONFIG} tells how; or switch off Secure Boot in the firmware")
    if not host.exists(f"/lib/modules/{host.release}/build"):
        found = f"the kernel module vboxdrv is not built: the headers of Linux {host.release} are missing"
        return fail(found, f"sudo apt install linux-headers-{host.release} && {_load_driver(host)}")
    return fail("the kernel module vboxdrv is not loaded", f"{_load_driver(host)}; if that fails, its log says why")


def _load_driver(host: Host) -> str:
    """Debian's own VirtualBox has no vboxconfig: dkms builds the modules when the headers are installed."""
    return f"sudo {_VBOXCONFIG}" if host.exists(_VBOXCONFIG) else "sudo modprobe --all vboxdrv vboxnetflt vboxnetadp"


def _secure_boot(host: Host) -> bool:
    """Whether the firmware's variable SecureBoot is 1: four bytes of attributes, then the value (UEFI, 3.3)."""
    for file in host.path("/sys/firmware/efi/efivars").glob("SecureBoot-*"):
        try:
            return file.read_bytes()[4:5] == b"\x01"
        except OSError:
            return False
    return False


def _processor(lab: Lab, host: Host) -> Finding | None:
    """VT-x or AMD-V, by the flags in /proc/cpuinfo (vmx, svm)."""
    cpuinfo = host.read("/proc/cpuinfo")
    if not cpuinfo or host.machine not in {"x86_64", "amd64"}:
        return None
    if {"vmx", "svm"} & set(cpuinfo.split()):
        return ok("VT-x or AMD-V is there")
    remedy = "switch it on in the firmware; on a virtual machine its host must allow it; or use --provider lxc"
    return fail("this processor shows neither VT-x nor AMD-V", remedy)


def _kvm(lab: Lab, host: Host) -> Finding | None:
    """Linux's KVM and VirtualBox both want the processor's virtualization."""
    version = virtualbox_version(host)
    loaded = [name for name in _KVM_MODULES if host.exists(f"/sys/module/{name}")]
    if not host.is_linux or version is None or not loaded:
        return None
    kernel = tuple(int(part) for part in host.release.split("-")[0].split(".")[:2] if part.isdigit())
    shy = host.read("/sys/module/kvm/parameters/enable_virt_at_load").strip() in {"N", "0"}
    if version >= _SHARING_VIRTUALBOX and kernel >= _SHARING_KERNEL:
        if not shy:
            return ok(f"VirtualBox {version_text(version)} shares the processor with {loaded[0]}")
        found = f"KVM's option enable_virt_at_load=0 is set, which VirtualBox does not want on Linux {host.release}"
        return warn(found, "if machines do not start, remove it from /etc/modprobe.d and boot again")
    if kernel < _GREEDY_KERNEL or shy:
        # Every machine of KVM's holds the module that runs it.
        if host.read(f"/sys/module/{loaded[0]}/refcnt").strip() not in {"", "0"}:
            return fail(f"a machine of KVM's runs, and holds VT-x or AMD-V by {loaded[0]}", "end it, then: labctl up")
        return ok(f"{loaded[0]} leaves the processor alone until one of its machines runs")
    found = f"{loaded[0]} of Linux {host.release} holds VT-x or AMD-V"
    for_good = "options kvm enable_virt_at_load=0 in /etc/modprobe.d/kvm.conf"
    return fail(found, f"sudo modprobe --remove {loaded[0]} kvm; for good: {for_good}")


def _hyper_v(lab: Lab, host: Host) -> Finding | None:
    if not host.is_windows:
        return None
    question = "(Get-CimInstance Win32_ComputerSystem).HypervisorPresent"
    answer = host.ask(["powershell", "-NoProfile", "-Command", question], 20.0)
    if (answer or "").strip() != "True":
        return ok("Hyper-V does not run")
    return warn(
        "Hyper-V (WSL 2, Device Guard) holds VT-x or AMD-V: machines are slow, or do not start",
        "as administrator: bcdedit /set hypervisorlaunchtype off, then boot again",
    )


def _networks(lab: Lab, host: Host) -> Finding | None:
    ranges, subnet = allowed_ranges(host), lab.network.subnet
    if ranges is None:
        return ok("VirtualBox restricts none here")
    if is_allowed(subnet, ranges):
        return ok(f"{subnet} is allowed")
    allowed = ", ".join(map(str, ranges)) or "none"
    found = f"VirtualBox allows no network {subnet} between host and machines; it allows {allowed}"
    elsewhere = f"network.subnet: {SUBSTITUTE} in labctl.yaml"
    version = virtualbox_version(host)
    if host.is_macos and (version is None or version >= FIRST_VMNET):
        return warn(f"{found} for sure (macOS)", elsewhere)
    text = networks_conf_with(host.read(NETWORKS_CONF), subnet, exists=host.exists(NETWORKS_CONF))
    line = text.splitlines()[-1]
    remedy = f"{elsewhere}; or the line `{line}` in {NETWORKS_CONF}"
    return fail(found, remedy, WriteFile(host.path(NETWORKS_CONF), text))


PROBES = (
    Probe("virtualbox.installed", "VirtualBox", _installed),
    Probe("virtualbox.vagrant", "Vagrant", _vagrant),
    Probe("virtualbox.apple", "Apple's processor", _apple),
    Probe("virtualbox.driver", "kernel module", _driver),
    Probe("virtualbox.processor", "hardware virtualization", _processor),
    Probe("virtualbox.kvm", "KVM", _kvm),
    Probe("virtualbox.hyperv", "Hyper-V", _hyper_v),
    Probe("virtualbox.networks", "host-only networks", _networks),
)
