"""VirtualBox: its machines, and what VirtualBox prints when it fails, what it means, what to do.

Vagrant's own words are from its templates/locales/en.yml (2.3.4, and 2.4 as of August 2026); VirtualBox's codes from
reports of its users.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from labctl.providers.known_errors import VAGRANT_ERRORS, KnownError
from labctl.providers.virtual_machines import VirtualMachines
from labctl.providers.virtualbox.leftovers import network_at, remove_masters, remove_network
from labctl.providers.virtualbox.probes import PROBES

_ALLOW_SUBNET = "leave network.subnet out of labctl.yaml, or: labctl doctor --provider virtualbox --fix"
# Debian's own package has no vboxconfig.
_LINUX = "Linux: sudo /sbin/vboxconfig, or with Debian's package: sudo modprobe --all vboxdrv vboxnetflt vboxnetadp"
_MACOS = "macOS: allow Oracle in System Settings, Privacy & Security"
_VBOXCONFIG = f"{_LINUX}; {_MACOS}; labctl doctor tells more"

VIRTUALBOX_ERRORS: tuple[KnownError, ...] = (
    # The host-only network of VirtualBox.
    KnownError(
        "virtualbox-subnet",
        r"not within the allowed ranges|hostonlyif\W+ipconfig.*E_ACCESSDENIED"
        r"|Network configuration not allowed",
        "VirtualBox does not allow the lab's subnet between this host and its machines",
        _ALLOW_SUBNET,
    ),
    KnownError(
        "virtualbox-vmnet",
        r"vmnet_start_interface returned 1001|VERR_INVALID_PARAMETER.*hostonly",
        "macOS refuses a host-only network outside 192.168.56.0/21",
        "leave network.subnet out of labctl.yaml, or use 192.168.56.0/24",
    ),
    KnownError(
        "virtualbox-hostonlyif-gone",
        r"Host-only adapters are no longer supported",
        "this Vagrant is too old for VirtualBox 7 on macOS",
        "install Vagrant 2.3.3 or newer",
    ),
    KnownError(
        "virtualbox-network-driver",
        r"failed to open /dev/vboxnetctl|VERR_INTNET_FLT_IF_NOT_FOUND|Failed to create the host-only adapter"
        r"|Interface \('[^']*'\) is not a Host-Only Adapter",
        "VirtualBox's driver for host-only networks is not loaded",
        f"{_LINUX}; {_MACOS}; Windows: repair VirtualBox with its installer",
    ),
    # The processor's virtualization.
    KnownError(
        "virtualbox-kvm-holds",
        r"VERR_VMX_IN_VMX_ROOT_MODE|VERR_SVM_IN_USE",
        "Linux's KVM holds the processor's virtualization (they share it from Linux 6.16 and VirtualBox 7.2.10 on)",
        "sudo modprobe --remove kvm_intel kvm (or kvm_amd kvm); for good: options kvm enable_virt_at_load=0 in "
        "/etc/modprobe.d/kvm.conf",
    ),
    KnownError(
        "virtualbox-kvm-shy",
        r"VERR_SVM_HOST_SVME_NOT_ENABLED",
        "on Linux 6.16 and newer, VirtualBox 7.2.10 and newer want KVM to switch the processor's virtualization on",
        "remove enable_virt_at_load=0 from /etc/modprobe.d, then boot this host again",
    ),
    KnownError(
        "virtualbox-hyper-v",
        r"VERR_NEM_VM_CREATE_FAILED|WHvSetupPartition failed|VERR_SUPDRV_NO_RAW_MODE_HYPER_V_ROOT"
        r"|Hyper-V and VirtualBox cannot be used together|Vagrant has detected that (?:you have )?.*Hyper-V",
        "Hyper-V (also WSL 2 and Device Guard) holds the processor's virtualization",
        "as administrator: bcdedit /set hypervisorlaunchtype off, then boot Windows again",
    ),
    KnownError(
        "no-virtualization",
        r"VERR_VMX_NO_VMX|VERR_SVM_NO_SVM|VERR_VMX_MSR_(?:ALL_)?VMX(?:ON)?_DISABLED|VERR_SVM_DISABLED"
        r"|VT-x is (?:disabled|not available)|AMD-V is (?:disabled|not available)",
        "the processor's virtualization (VT-x, AMD-V) is off, or missing on this host",
        "switch it on in the firmware; or use --provider lxc on Linux",
    ),
    # VirtualBox's kernel modules and its installation.
    KnownError(
        "virtualbox-secure-boot",
        r"sign the kernel modules|Key was rejected by service|Required key not available",
        "Secure Boot refuses VirtualBox's kernel modules",
        "sudo /sbin/vboxconfig tells how to sign them; or switch off Secure Boot in the firmware",
    ),
    KnownError(
        "virtualbox-module",
        r"vboxdrv kernel module is not loaded|character device /dev/vboxdrv does not exist|rc=-1908"
        r"|VirtualBox is complaining that the kernel module is not loaded|VERR_VM_DRIVER_NOT_INSTALLED"
        r"|Kernel driver not installed",
        "VirtualBox's kernel module is not loaded",
        _VBOXCONFIG,
    ),
    KnownError(
        "virtualbox-module-version",
        r"VERR_VM_DRIVER_VERSION_MISMATCH|rc=-1912|VERR_SUPDRV_INTERFACE_NOT_SUPPORTED",
        "VirtualBox's kernel module is of another version than VirtualBox",
        "boot this host again, or: sudo /sbin/vboxconfig",
    ),
    KnownError(
        "virtualbox-unknown-version",
        r"not supported by this version of Vagrant",
        "this Vagrant does not know the installed VirtualBox",
        "install a newer Vagrant; labctl doctor --provider virtualbox tells which",
    ),
    KnownError(
        "virtualbox-absent",
        r"Vagrant could not detect VirtualBox|VBoxManage\S* (?:could not be found|binary.*not found"
        r"|command or one of its dependencies could not be found)",
        "VirtualBox is not installed",
        "install it, or use --provider lxc on Linux",
    ),
    KnownError(
        "virtualbox-incomplete",
        r"VirtualBox is complaining that the installation is incomplete|There was an error running VBoxManage"
        r"|calls to detect the version are returning empty|VERR_SUPLIB_",
        "VirtualBox is only half installed, or its folder was changed",
        "install VirtualBox again",
    ),
    KnownError(
        "virtualbox-user",
        r"VirtualBox VM was created with a user that doesn't match",
        "the machines belong to another user",
        "run labctl as the user who ran `labctl up` first",
    ),
    KnownError(
        "virtualbox-wsl",
        r"unable to use the VirtualBox provider from the Windows Subsystem for Linux",
        "VirtualBox belongs to Windows, and this is WSL",
        "run labctl in PowerShell",
    ),
    # A machine of VirtualBox.
    KnownError(
        "virtualbox-locked",
        r"is already locked (?:for|by) a session|VBOX_E_INVALID_OBJECT_STATE",
        "VirtualBox still works on a machine",
        "wait a moment, then: labctl up",
    ),
    KnownError(
        "virtualbox-start",
        r"terminated unexpectedly during startup",
        "VirtualBox could not start a machine",
        "labctl doctor --provider virtualbox; the machine's VBox.log, in its folder, says more",
    ),
    KnownError(
        "virtualbox-inaccessible",
        r"has become \"?inaccessible",
        "VirtualBox has lost a machine's files",
        "remove the machine in VirtualBox's window, then: labctl up",
    ),
    KnownError(
        "virtualbox-name",
        r"VirtualBox machine with the name '[^']*' already exists|VM with that name already exists"
        r"|Machine settings file '[^']*' already exists|rename the directory .*VERR_ALREADY_EXISTS",
        "VirtualBox still has a machine, or a folder, of that name from an earlier lab",
        "VBoxManage unregistervm NAME --delete; if `VBoxManage list vms` does not show it: remove the folder that the "
        "message names; then: labctl up",
    ),
    KnownError(
        "virtualbox-arm",
        r"Cannot run the machine because its platform architecture|VBOX_E_PLATFORM_ARCH_NOT_SUPPORTED",
        "the box is for another processor than this host's",
        "choose a box with a build for it (box.name, box.version in labctl.yaml)",
    ),
    KnownError(
        "virtualbox-memory",
        r"VERR_NO_MEMORY|VERR_NO_LOW_MEMORY|NS_ERROR_OUT_OF_MEMORY|Cannot allocate memory",
        "this host has too little memory left",
        "fewer workers or less memory in labctl.yaml, or end other programs",
    ),
    KnownError(
        "virtualbox-object",
        r"VBOX_E_OBJECT_NOT_FOUND",
        "VirtualBox does not know a machine that Vagrant believes in",
        "labctl destroy, then: labctl up",
    ),
    *VAGRANT_ERRORS,
    # Whatever else VBoxManage refused.
    KnownError(
        "virtualbox-other",
        r"There was an error while executing `VBoxManage`|VBoxManage: error:",
        "VirtualBox refused a command",
        "the lines above name it; labctl doctor --provider virtualbox looks for the usual causes",
    ),
)


class VirtualBox(VirtualMachines):
    """The machines of one lab on VirtualBox. They boot one after the other, under Vagrant's own locks."""

    probes = PROBES
    known_errors = VIRTUALBOX_ERRORS

    def prepare_host(self) -> None:
        """Vagrant makes the lab's network with the first machine. Note it, if this host does not have it already."""
        if not self.machines() and not network_at(self.lab.network.gateway, self.host):
            with suppress(OSError):  # a full disk: then `destroy` leaves the network
                self._network_note.touch()

    def destroy(self) -> list[str]:
        """Also what Vagrant keeps for the next machine."""
        removed = super().destroy()
        if self._network_note.exists():
            removed += remove_network(self.lab.network.gateway, self.host)
        return [*removed, *remove_masters(self.host)]

    @property
    def _network_note(self) -> Path:
        """There if the lab's network is not older than the lab."""
        return self.files.folder / "made-network"
