"""What Vagrant prints when it fails, what it means, what to do: a table, and the look-up in such tables.

Vagrant's own words are from its templates/locales/en.yml (2.3.4, and 2.4 as of August 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownError:
    """One known error. pattern: found in the output with every run of white space as one space, in any case."""

    id: str
    pattern: str
    meaning: str
    remedy: str


def find_known_error(output: str, errors: Iterable[KnownError]) -> KnownError | None:
    """The first of the errors that a program's output shows, however its lines are wrapped; None if it shows none."""
    text = " ".join(output.split())
    return next((known for known in errors if re.search(known.pattern, text, re.IGNORECASE)), None)


# Every provider's table ends with these: what is special stands before what is general.
VAGRANT_ERRORS: tuple[KnownError, ...] = (
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
        "provider-no-snapshots",
        r"This provider doesn't support snapshots",
        "Vagrant's plugin for the provider cannot take snapshots",
        "install the plugin's newest version: vagrant plugin update",
    ),
    KnownError(
        "provider-unusable",
        r"reporting that it isn't usable on this system",
        "the provider does not work on this host",
        "labctl doctor tells which and how",
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
    # This host.
    KnownError(
        "network-collision",
        r"host network.*collides with a non-hostonly network|The specified host network collides",
        "another interface of this host has the lab's subnet",
        "another network.subnet in labctl.yaml; `labctl doctor` names the interface",
    ),
    KnownError(
        "disk-full",
        r"VERR_DISK_FULL|No space left on device|not enough free space",
        "the disk is full",
        "free some space; `labctl box list` and `vagrant box list` show what is kept",
    ),
    # Something else failed in a machine.
    KnownError(
        "command-in-machine",
        r"SSH command responded with a non-zero exit status",
        "a command that Vagrant ran in a machine failed",
        "the lines above name it; labctl up again, or labctl destroy and then up",
    ),
)
