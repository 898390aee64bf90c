"""libvirt: its machines, and what libvirt and vagrant-libvirt print when they fail, what it means, what to do."""

from __future__ import annotations

from labctl.providers.known_errors import VAGRANT_ERRORS, KnownError
from labctl.providers.libvirt.probes import PROBES
from labctl.providers.virtual_machines import VirtualMachines

LIBVIRT_ERRORS: tuple[KnownError, ...] = (
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
    *VAGRANT_ERRORS,
)


class Libvirt(VirtualMachines):
    """The machines of one lab on libvirt, side by side; on QEMU without KVM where this host has none."""

    probes = PROBES
    known_errors = LIBVIRT_ERRORS
