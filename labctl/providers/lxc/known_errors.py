"""What LXC, vagrant-lxc and labctl's own lxc-template print when they fail, what it means, what to do: a table."""

from __future__ import annotations

from labctl.providers.known_errors import VAGRANT_ERRORS, KnownError

LXC_ERRORS: tuple[KnownError, ...] = (
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
        "labctl destroy, then: labctl up; it builds the box again",
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
    *VAGRANT_ERRORS,
)
