"""Probes for every provider: memory, processors, disk, networks and proxies; Vagrant's version and plugins."""

from __future__ import annotations

from labctl.host.command import Version, version_in
from labctl.host.host import Host
from labctl.host.networks import find_overlaps, host_routes, proxies_on_loopback
from labctl.model.lab import Lab, Source
from labctl.providers import publishers
from labctl.providers.probe import Finding, Probe, fail, ok, warn
from labctl.providers.vagrant import user_vagrant_home
from labctl.sources.releases import cautions, working_set

_MIB = 1 << 20
# Calico's own programs, CoreDNS and larger images take about twice what the stand-ins take (docs/verified.md).
_UPSTREAM_MEMORY = 2
_GIB = 1 << 30
# Left for the host itself.
_HOST_MEMORY = 512
# Debian's packages of plugins put them here; `vagrant plugin install` lists its own in the user's plugins.json.
PACKAGED_PLUGINS = "/usr/share/rubygems-integration/all/gems"
_VAGRANT_SECONDS = 60.0


def vagrant_version(host: Host) -> Version | None:
    """What ``vagrant --version`` prints; None where Vagrant is not installed."""
    return version_in(host.ask(["vagrant", "--version"], _VAGRANT_SECONDS))


def has_plugin(host: Host, name: str) -> bool:
    """Whether a Vagrant plugin is installed, as a package or by the user."""
    if any(host.path(PACKAGED_PLUGINS).glob(f"{name}-[0-9]*")):
        return True
    listed = user_vagrant_home(host) / "plugins.json"
    return listed.is_file() and f'"{name}"' in listed.read_text(errors="replace")


def memory_wanted(lab: Lab) -> int:
    """MiB that the lab's machines take."""
    traits = lab.provider.traits
    if traits.lab_memory:
        shared = traits.lab_memory + traits.worker_memory * len(lab.workers)
        return shared * (_UPSTREAM_MEMORY if lab.source is Source.UPSTREAM else 1)
    return sum(machine.memory for machine in lab.machines)


def _memory(lab: Lab, host: Host) -> Finding | None:
    total, free = (size // _MIB for size in host.memory())
    wanted = memory_wanted(lab)
    remedy = "fewer workers or less memory in labctl.yaml (workers, memory), or end other programs"
    if total < wanted + _HOST_MEMORY:
        return fail(f"{total} MiB in all; the lab takes {wanted} MiB", remedy)
    if free < wanted:
        return warn(f"{free} MiB of {total} MiB are free; a new lab takes {wanted} MiB", remedy)
    return ok(f"{free} MiB of {total} MiB are free; the lab takes {wanted} MiB")


def _cpus(lab: Lab, host: Host) -> Finding | None:
    if host.cpus < 2:
        return warn("1 processor; the control plane alone can use 2", "expect steps to take two to three times longer")
    return ok(f"{host.cpus} processors")


def _disk(lab: Lab, host: Host) -> Finding | None:
    wanted = lab.provider.traits.machine_disk * len(lab.machines)
    free = host.free_disk(host.root)
    found = f"{free / _GIB:.1f} GiB are free; the lab may take {wanted / _GIB:.0f} GiB"
    if free < _GIB:
        return fail(found, "free some space on this host's disk")
    return ok(found) if free > wanted else warn(found, "free some space on this host's disk")


def _routes(lab: Lab, host: Host) -> Finding | None:
    overlaps = find_overlaps(lab, host_routes(host))
    if not overlaps:
        return ok("this host routes none of the lab's networks elsewhere")
    keys = ", ".join(dict.fromkeys(overlap.key for overlap in overlaps))
    return fail("\n".join(map(str, overlaps)), f"choose another network in labctl.yaml ({keys})")


def _proxy(lab: Lab, host: Host) -> Finding | None:
    """The machines get this host's proxies (internet.py), and cannot reach its loopback addresses."""
    if lab.source is not Source.UPSTREAM or lab.mirrors.offline:
        return None
    found = ", ".join(f"{name} is {where}" for name, where in proxies_on_loopback(host.environment).items())
    if not found:
        return None
    say = warn if lab.mirrors.cache else fail
    return say(
        f"{found}: this host's loopback, which the lab's machines do not reach",
        "name the proxy by an address that the machines reach, or unset the variable, or labctl cache pull",
    )


def _versions(lab: Lab, host: Host) -> Finding | None:
    if lab.source is not Source.UPSTREAM:
        return None
    found = cautions(lab.versions, host.today)
    if found:
        return warn("\n".join(found), f"other versions in labctl.yaml (versions): {working_set(host.today)}")
    return ok(f"Kubernetes {lab.versions.kubernetes} and Calico {lab.versions.calico} are supported")


COMMON_PROBES = (
    Probe("memory", "memory", _memory),
    Probe("cpus", "processors", _cpus),
    Probe("disk", "disk", _disk),
    Probe("routes", "networks in use", _routes),
    Probe("proxy", "proxies", _proxy),
    Probe("versions", "versions", _versions),
    publishers.PROBE,
)
