"""What Vagrant, VirtualBox, libvirt and LXC print when they fail, what it means, what to do: a table, and one look-up.

Vagrant's own words are from its templates/locales/en.yml (2.3.4, and 2.4 as of August 2026), vagrant-libvirt's and
vagrant-lxc's from theirs; VirtualBox's codes from reports of its users.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DOCTOR = "labctl doctor tells which and how"
_ALLOW_SUBNET = "leave network.subnet out of labctl.yaml, or: labctl doctor --provider virtualbox --fix"
_VBOXCONFIG = "sudo /sbin/vboxconfig; labctl doctor --provider virtualbox tells what it lacks"


@dataclass(frozen=True, slots=True)
class KnownError:
    """One known error. pattern: found in the output with every run of white space as one space, in any case."""

    id: str
    pattern: str
    meaning: str
    remedy: str


# The first that fits counts: what is special stands before what is general.
KNOWN_ERRORS: tuple[KnownError, ...] = (
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
        "Linux: sudo /sbin/vboxconfig; macOS: allow Oracle in System Settings, Privacy & Security; Windows: repair "
        "VirtualBox with its installer",
    ),
    KnownError(
        "network-collision",
        r"host network.*collides with a non-hostonly network|The specified host network collides",
        "another interface of this host has the lab's subnet",
        "another network.subnet in labctl.yaml; `labctl doctor` names the interface",
    ),
    # The processor's virtualization.
    KnownError(
        "virtualbox-kvm-holds",
        r"VERR_VMX_IN_VMX_ROOT_MODE|VERR_SVM_IN_USE",
        "Linux's KVM holds the processor's virtualization, which VirtualBox before 7.2.10 wants for itself",
        "sudo modprobe --remove kvm_intel (or kvm_amd); for good: options kvm enable_virt_at_load=0 in "
        "/etc/modprobe.d/kvm.conf",
    ),
    KnownError(
        "virtualbox-kvm-shy",
        r"VERR_SVM_HOST_SVME_NOT_ENABLED",
        "VirtualBox 7.2.10 and newer want KVM to switch the processor's virtualization on",
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
    KnownError(
        "kvm-missing",
        r"Could not access KVM kernel module|failed to initialize kvm|does not support virt type 'kvm'"
        r"|could not find capabilities for (?:arch|domaintype)[^.]*kvm",
        "KVM is not to be had on this host",
        "emulated: true in labctl.yaml (slow), or --provider lxc",
    ),
    KnownError(
        "kvm-denied",
        r"/dev/kvm.{0,40}Permission denied|Permission denied.{0,40}/dev/kvm",
        "you may not use KVM",
        "sudo adduser $USER kvm, then log in again",
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
        r"vboxdrv kernel module is not loaded|Kernel driver not installed|rc=-1908"
        r"|VirtualBox is complaining that the kernel module is not loaded|VERR_VM_DRIVER_NOT_INSTALLED",
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
        r"Vagrant could not detect VirtualBox|VBoxManage. (?:could not be found|binary.*not found)",
        "VirtualBox is not installed",
        "install it, or use --provider lxc on Linux",
    ),
    KnownError(
        "virtualbox-incomplete",
        r"VirtualBox is complaining that the installation is incomplete",
        "VirtualBox is only half installed",
        "install VirtualBox again",
    ),
    KnownError(
        "virtualbox-user",
        r"VirtualBox VM was created with a user that doesn't match",
        "the machines belong to another user",
        "run labctl as the user who ran `labctl up` first",
    ),
    # A machine of VirtualBox.
    KnownError(
        "virtualbox-locked",
        r"is already locked (?:for|by) a session|VBOX_E_INVALID_OBJECT_STATE",
        "VirtualBox still works on a machine",
        "wait a moment, then: labctl up",
    ),
    KnownError(
        "virtualbox-inaccessible",
        r"has become \"?inaccessible",
        "VirtualBox has lost a machine's files",
        "remove the machine in VirtualBox's window, then: labctl up",
    ),
    KnownError(
        "virtualbox-name",
        r"VM with that name already exists|VERR_ALREADY_EXISTS.*rename|already exists.*createvm",
        "a machine or a folder of that name is left over",
        "labctl destroy; if it stays, remove it in VirtualBox's window",
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
        "disk-full",
        r"VERR_DISK_FULL|No space left on device|not enough free space",
        "the disk is full",
        "free some space; `labctl box list` and `vagrant box list` show what is kept",
    ),
    KnownError(
        "virtualbox-object",
        r"VBOX_E_OBJECT_NOT_FOUND",
        "VirtualBox does not know a machine that Vagrant believes in",
        "labctl destroy, then: labctl up",
    ),
    # The box.
    KnownError(
        "box-checksum",
        r"checksum of the downloaded box did not match"
        r"|calculated checksum of the requested file does not match the expected",
        "the box was damaged on its way, or is not what it says",
        "labctl up again; if it stays, another box.version in labctl.yaml",
    ),
    KnownError(
        "box-architecture",
        r"box you're attempting to add doesn't support the requested architecture"
        r"|isn't installed for the architecture '",
        "the box has no build for this host's processor",
        "another box.name, or another box.version, in labctl.yaml",
    ),
    KnownError(
        "box-provider",
        r"box you're attempting to add doesn't support the provider|doesn't match the provider you specified",
        "the box has no build for the provider, or not in this version",
        "another box.version or box.name in labctl.yaml",
    ),
    KnownError(
        "box-version",
        r"box you're attempting to add has no available version"
        r"|could not be found that matched the constraints",
        "the box has no such version",
        "box.version in labctl.yaml",
    ),
    KnownError(
        "box-absent",
        r"The box '[^']*' could not be found or could not be accessed|box '[^']*' does not exist"
        r"|could not be accessed in the remote catalog",
        "the box cannot be found, or the internet cannot be reached",
        "check box.name and the connection; without the internet: labctl up --source debian",
    ),
    KnownError(
        "download",
        r"An error occurred while downloading the remote file|Could not resolve host|Failed to connect to .* port",
        "the box could not be downloaded",
        "check the connection and the proxy (HTTPS_PROXY), then labctl up: it goes on where it stopped",
    ),
    # Plugins and providers.
    KnownError(
        "plugin-ruby",
        r"undefined method [`'](?:exists\?|exist\?)' for (?:class )?(?:File|Dir)",
        "a plugin of Vagrant is too old for its Ruby",
        "run it by way of labctl, whose Vagrantfile mends this; or install the plugin's newest version",
    ),
    KnownError(
        "provider-missing",
        r"The provider '[^']*' could not be found",
        "Vagrant has no plugin for the provider",
        "labctl doctor tells which package brings it",
    ),
    KnownError(
        "plugin-broken",
        r"The plugins failed to (?:load|initialize)|Vagrant failed to initialize at a very early stage",
        "one of Vagrant's plugins does not load",
        "vagrant plugin repair, or: vagrant plugin expunge --reinstall",
    ),
    KnownError(
        "provider-unusable",
        r"reporting that it isn't usable on this system",
        "the provider does not work on this host",
        _DOCTOR,
    ),
    # libvirt.
    KnownError(
        "libvirt-daemon",
        r"Failed to connect socket to '[^']*libvirt[^']*'|Error while connecting to Libvirt"
        r"|Failed to connect to the hypervisor",
        "libvirt's daemon does not run, or you may not talk to it",
        "sudo systemctl enable --now libvirtd; sudo adduser $USER libvirt, then log in again",
    ),
    KnownError(
        "libvirt-logd",
        r"virtlogd-sock",
        "libvirt's daemon for logs does not run",
        "sudo systemctl enable --now virtlogd.socket",
    ),
    KnownError(
        "libvirt-denied",
        r"authentication unavailable: no polkit agent|authentication failed: access denied|virConnectOpen.*ermission",
        "you may not talk to libvirt's daemon",
        "sudo adduser $USER libvirt, then log in again",
    ),
    KnownError(
        "libvirt-network-used",
        r"Network is already in use by interface|internal error:? .*already in use by interface",
        "an interface of this host has a network that libvirt wants",
        "another network.subnet in labctl.yaml; `labctl doctor` names the interface",
    ),
    KnownError(
        "libvirt-network-other",
        r"Network .* exists but does not have dhcp|does not match with network name",
        "libvirt has a network of the lab's name with other settings",
        "labctl destroy; if it stays: virsh net-undefine with that name",
    ),
    KnownError(
        "libvirt-dnsmasq",
        r"dnsmasq: failed to create listening socket|Child process \(.*dnsmasq.*\) unexpected exit status",
        "libvirt's dnsmasq cannot listen: another DNS server has the port",
        "stop the other one, or let it listen on its own addresses only (bind-interfaces)",
    ),
    KnownError(
        "libvirt-domain-exists",
        r"domain about to create is already taken|domain '[^']*' already exists|Volume for domain is already created",
        "a machine or a disk of that name is left over",
        "labctl destroy, then: labctl up",
    ),
    KnownError(
        "libvirt-pool",
        r"No usable storage pool found|Storage pool not found|storage pool '[^']*' is not active",
        "libvirt has no place for disks",
        "virsh pool-define-as default dir --target /var/lib/libvirt/images; virsh pool-start default",
    ),
    KnownError(
        "libvirt-no-address",
        r"No IP address found",
        "the machine got no address from libvirt's DHCP",
        "look at its console (virsh console), then: labctl up",
    ),
    # LXC.
    KnownError(
        "lxc-absent",
        r"lxc. package does not seem to be installed|lxc-create. is not accessible on the PATH",
        "LXC is not installed",
        "labctl doctor --provider lxc --fix",
    ),
    KnownError(
        "lxc-box-gone",
        r"labctl's lxc-template: .* is gone",
        "the box was removed although Vagrant still names it",
        "labctl up: it builds the box again",
    ),
    KnownError(
        "lxc-overlay",
        r"not supported as upperdir|Failed to mount .*overlay|no overlay is possible",
        "this kernel refuses an overlay here: the folder is on an overlay itself, or its path has : , or \\ in it",
        "LABCTL_CACHE and /var/lib/lxc on a plain disk",
    ),
    KnownError(
        "lxc-exists",
        r"There is container on your system with the same name|Container already exists",
        "a container of that name is left over",
        "labctl destroy, then: labctl up",
    ),
    KnownError(
        "lxc-cgroups",
        r"No cgroup.* controllers found|cgfsng.*Failed|Failed to (?:setup|create) cgroup|lxc_spawn.*cgroup",
        "LXC cannot use this host's cgroups",
        "labctl doctor --provider lxc",
    ),
    KnownError(
        "lxc-network",
        r"Failed to (?:create|attach).*(?:veth|network device|bridge)|bridge.*No such device",
        "the lab's bridge is missing on this host",
        "labctl up makes it again; if it stays: labctl doctor",
    ),
    # Vagrant itself.
    KnownError(
        "vagrant-busy",
        r"another process is already executing an action|lock is being held by another instance of Vagrant",
        "another Vagrant works on the machine",
        "wait for it, then: labctl up",
    ),
    KnownError(
        "ssh-key",
        r"SSH authentication failed",
        "the machine does not take Vagrant's key: it was made from other files than these",
        "labctl destroy, then: labctl up",
    ),
    KnownError(
        "boot-timeout",
        r"Timed out while waiting for the machine to boot|Vagrant was unable to communicate with the guest machine",
        "the machine started, but did not answer over SSH in time",
        "labctl up goes on; a slow host may want fewer workers at first (--workers 1)",
    ),
    KnownError(
        "port-collision",
        r"Vagrant cannot forward the specified ports|forwarded port to \d+ is already in use",
        "a port of this host that Vagrant wants is taken",
        "end the program that has it, then: labctl up",
    ),
    KnownError(
        "ruby-version",
        r"Vagrant .*requires Ruby|incompatible library version",
        "Vagrant is installed twice, from different places",
        "remove one of them",
    ),
    # VBoxManage failed with something else.
    KnownError(
        "virtualbox-other",
        r"There was an error while executing `VBoxManage`|VBoxManage: error:",
        "VirtualBox refused a command",
        "the lines above name it; labctl doctor --provider virtualbox looks for the usual causes",
    ),
)

_COMPILED = tuple((re.compile(known.pattern, re.IGNORECASE), known) for known in KNOWN_ERRORS)


def find_known_error(output: str) -> KnownError | None:
    """The known error that a program's output shows, however its lines are wrapped; None if it shows none."""
    text = " ".join(output.split())
    return next((known for pattern, known in _COMPILED if pattern.search(text)), None)
