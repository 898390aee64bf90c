"""Probes for LXC machines: programs, Vagrant's plugin, and what their kernel, the host's, must be able to do."""

from __future__ import annotations

import re

from labctl.host.host import Host
from labctl.model.lab import Encapsulation, Lab
from labctl.providers.common_probes import has_plugin
from labctl.providers.probe import Finding, Probe, fail, missing_packages, ok

# Each program, and Debian's package that brings it.
PROGRAMS = {
    "vagrant": "vagrant",
    "lxc-start": "lxc",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "flock": "util-linux",
}
PLUGIN = "vagrant-lxc"
_LXC_FOLDER = "/var/lib/lxc"
_MODULES = ("bridge", "veth", "nf_tables", "overlay")
_FORWARD = "/proc/sys/net/ipv4/ip_forward"


def _system(lab: Lab, host: Host) -> Finding | None:
    if host.is_linux:
        return ok("Linux")
    return fail(f"{host.platform}: containers need Linux", "labctl up --provider virtualbox")


def _programs(lab: Lab, host: Host) -> Finding | None:
    missing = [program for program in PROGRAMS if host.find(program) is None]
    if not missing:
        return ok("all here")
    are = "is" if len(missing) == 1 else "are"
    return missing_packages(f"{', '.join(missing)} {are} not installed", *(PROGRAMS[program] for program in missing))


def _plugin(lab: Lab, host: Host) -> Finding | None:
    if has_plugin(host, PLUGIN):
        return ok("installed")
    from_rubygems = f"vagrant plugin install {PLUGIN}"
    if not _packaged(host):
        # Debian 13 has no such package; the plugin is still on rubygems.org.
        return fail(f"the plugin {PLUGIN} is missing, and this system has no package of it", from_rubygems)
    remedy = f"apt install {PLUGIN}, or: {from_rubygems}"
    return missing_packages(f"the plugin {PLUGIN} is missing", PLUGIN, remedy=remedy)


def _packaged(host: Host) -> bool:
    """Whether apt has a package of the plugin."""
    return host.has_apt and bool((host.ask(["apt-cache", "show", PLUGIN], 20.0) or "").strip())


def _root(lab: Lab, host: Host) -> Finding | None:
    if host.user == 0:
        return ok("labctl is run as root")
    if host.find("sudo") is not None:
        return ok("labctl will ask sudo for root")
    return fail("labctl is not run as root, and sudo is not installed", "run labctl as root")


def _cgroups(lab: Lab, host: Host) -> Finding | None:
    """Which cgroup hierarchies there are (cgroups(7)); a container needs one with controllers in it."""
    mounts = [line.split() for line in host.read("/proc/self/mounts").splitlines()]
    kinds = {fields[2] for fields in mounts if len(fields) > 2 and fields[2].startswith("cgroup")}
    v2 = "memory" in host.read("/sys/fs/cgroup/cgroup.controllers").split()
    if not kinds:
        return fail("no cgroup file system is mounted", "boot this host with systemd, or mount one on /sys/fs/cgroup")
    if kinds == {"cgroup2"}:
        if v2:
            return ok("version 2 alone")
        return fail("version 2 alone, without the memory controller", "boot Linux with cgroup_enable=memory")
    return ok("version 1" + (" and 2" if "cgroup2" in kinds else ""))


def _overlay(lab: Lab, host: Host) -> Finding | None:
    """A machine's disk is an overlay over the box, and the kernel refuses an overlay on an overlay.

    The kernel loads the module itself when the first overlay is mounted (Linux: fs/filesystems.c).
    """
    on_disk = "/overlay.ko" in host.read(f"/lib/modules/{host.release}/modules.dep")
    if "overlay" not in host.read("/proc/filesystems").split() and not (on_disk or host.exists("/sys/module/overlay")):
        return fail("this kernel has no overlay file system", "a kernel that has one: Debian's, for example")
    kind = _file_system(host.read("/proc/self/mounts"), _LXC_FOLDER)
    if kind == "overlay":
        return fail(
            f"{_LXC_FOLDER} is itself on an overlay, as in a Docker container",
            f"mount a disk's folder or a volume on {_LXC_FOLDER}",
        )
    return ok(f"known to the kernel; {_LXC_FOLDER} is on {kind or 'a plain disk'}")


def _file_system(mounts: str, folder: str) -> str:
    """The type of the file system that holds a folder, from the text of /proc/self/mounts."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        place = fields[1].rstrip("/")
        if (folder == place or folder.startswith(f"{place}/")) and len(place) >= len(best):
            best, kind = place, fields[2]
    return kind


def _modules(lab: Lab, host: Host) -> Finding | None:
    """Modules that the kernel has neither loaded nor on disk. A kernel without any on disk has them built in."""
    folder = f"/lib/modules/{host.release}"
    known = host.read(f"{folder}/modules.dep") + host.read(f"{folder}/modules.builtin")
    if not known:
        return None
    missing = [name for name in _MODULES if f"/{name}.ko" not in known and not host.exists(f"/sys/module/{name}")]
    if not missing:
        return ok("all here")
    return fail(f"this kernel lacks {', '.join(missing)}", f"apt install linux-image-{host.machine}, then boot it")


# A function that exists only in kernels with the tunnel built in (Linux: net/ipv4/ipip.c, drivers/net/vxlan).
_TUNNELS = {Encapsulation.VXLAN: "vxlan_xmit", Encapsulation.IPIP: "ipip_tunnel_xmit"}


def _tunnel(lab: Lab, host: Host) -> Finding | None:
    """Whether the kernel has the tunnels that the pod network is to use."""
    kind = lab.network.encapsulation
    if kind is Encapsulation.NONE:
        return None
    modules = host.read(f"/lib/modules/{host.release}/modules.dep")
    if host.exists(f"/sys/module/{kind.value}") or f"/{kind.value}.ko" in modules:
        return ok(f"the kernel has {kind.value}")
    if re.search(rf" {_TUNNELS[kind]}$", host.read("/proc/kallsyms"), re.MULTILINE):
        return ok(f"the kernel has {kind.value} built in")
    other = Encapsulation.IPIP if kind is Encapsulation.VXLAN else Encapsulation.VXLAN
    return fail(f"this kernel has no {kind.value}", f"encapsulation none, or {other.value}, in labctl.yaml")


def _forwarding(lab: Lab, host: Host) -> Finding | None:
    value = host.read(_FORWARD).strip()
    if not value:
        return fail("this kernel does not route IPv4", "run labctl on the host, not in a restricted container")
    if value == "1":
        return ok("on")
    return ok("off; labctl switches it on while a lab is up, and off again")


PROBES = (
    Probe("lxc.system", "operating system", _system),
    Probe("lxc.programs", "programs", _programs),
    Probe("lxc.plugin", "Vagrant's plugin for LXC", _plugin),
    Probe("lxc.root", "root", _root),
    Probe("lxc.cgroups", "cgroups", _cgroups),
    Probe("lxc.overlay", "overlay file system", _overlay),
    Probe("lxc.modules", "kernel modules", _modules),
    Probe("lxc.tunnel", "tunnels between nodes", _tunnel),
    Probe("lxc.forwarding", "IPv4 forwarding", _forwarding),
)
