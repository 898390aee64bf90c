"""What Vagrant, VirtualBox, libvirt and LXC print when they fail, what it means, what to do: a table, and one look-up.

Vagrant's own words are from its templates/locales/en.yml (2.3.4, and 2.4 as of August 2026), vagrant-libvirt's and
vagrant-lxc's from theirs.
"""

from __future__ import annotations

import re

from labctl.providers.known_error import KnownError
from labctl.providers.virtualbox.known_errors import VIRTUALBOX_ERRORS

_DOCTOR = "labctl doctor tells which and how"

# The first that fits counts: what is special stands before what is general.
KNOWN_ERRORS: tuple[KnownError, ...] = (
    *VIRTUALBOX_ERRORS,
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
        r"box you're attempting to add doesn't support the provider|doesn't match the provider you specified"
        r"|isn't installed for the provider '",
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
        r"An error occurred while downloading the remote file|Could not resolve host|Failed to connect to .* port"
        r"|error while downloading the metadata for this box|download was interrupted by an external signal",
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
        r"another process is already executing an action|lock is being held by another instance of Vagrant"
        r"|it is locked! This means that another Vagrant process|requested Vagrant action is locked"
        r"|Download to global Vagrant location already in progress",
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
        r"Timed out while waiting for the machine to boot|Vagrant was unable to communicate with the guest machine"
        r"|Vagrant timed out while attempting to connect via SSH|SSH connection was (?:refused|reset)"
        r"|attempting to connect with SSH, a \"|SSH connection was unexpectedly closed",
        "the machine started, but did not answer over SSH in time",
        "labctl up goes on; a slow host may want fewer workers at first (--workers 1)",
    ),
    KnownError(
        "boot-ended",
        r"entered an invalid state while waiting for it to boot",
        "a machine stopped while it booted",
        "labctl up again; if it stays: labctl doctor, and the machine's console",
    ),
    KnownError(
        "other-provider",
        r"active machine was found with a different provider",
        "the lab has machines of another provider",
        "labctl destroy with the provider that they have, then: labctl up",
    ),
    KnownError(
        "key-owner",
        r"must be owned by the user running Vagrant|private key to connect to this box via SSH has invalid permissions",
        "the key that Vagrant made for a machine belongs to another user, or others may read it",
        "run labctl as the user who ran `labctl up` first, in a folder on a disk that keeps permissions",
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
    # Something else failed, in a machine or in VBoxManage.
    KnownError(
        "command-in-machine",
        r"SSH command responded with a non-zero exit status",
        "a command that Vagrant ran in a machine failed",
        "the lines above name it; labctl up again, or labctl destroy and then up",
    ),
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
