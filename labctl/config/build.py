"""From labctl.yaml's values to the lab's model: addresses, machines, defaults that depend on provider and source."""

from __future__ import annotations

from labctl.config.addresses import GATEWAY, VIRTUAL, address, numbers
from labctl.config.schema import Config
from labctl.model.lab import (
    App,
    Bgp,
    Box,
    Encapsulation,
    Lab,
    Limits,
    Machine,
    Mesh,
    Mirrors,
    Network,
    Provider,
    Role,
    Source,
    Versions,
    VirtualAddress,
)
from labctl.sources.upstream import CACHE_PORT

# Releases of shared fate (labctl/sources/upstream.py): 1.34 is what Calico 3.32 and the controller 3.2 are tested with.
UPSTREAM = Versions(kubernetes="1.34", calico="3.32.1", controller="3.2.11", haproxy="3.2")
DEBIAN = Versions(kubernetes="", calico="", controller="", haproxy="")

# The box that labctl builds from Debian's archive: for LXC, and for virtual machines without the internet.
OWN_BOX = "labctl/debian-13"


def build(config: Config, provider: Provider, *, emulated: bool = False) -> Lab:
    """The lab that a checked configuration describes, on that provider.

    emulated: whether this host can only emulate the machines' processors.
    """
    source = choose_source(config, provider)
    return Lab(
        name=config.name,
        provider=provider,
        source=source,
        network=_network(config),
        machines=_machines(config),
        limits=Limits(config.limits.memory, config.limits.cpus),
        app=App(host=config.app.host, replicas=config.app.replicas, image=config.app.image),
        versions=_versions(config, source),
        box=_box(config, provider, source),
        emulated=emulated,
        vip=_vip(config),
        bgp=_bgp(config),
        mirrors=_mirrors(config, source),
    )


def choose_source(config: Config, provider: Provider) -> Source:
    """The source that the configuration names; for ``auto`` the provider's default."""
    return provider.traits.default_source if config.source == "auto" else Source(config.source)


def _network(config: Config) -> Network:
    network = config.network
    return Network(
        subnet=network.subnet,
        gateway=address(network.subnet, GATEWAY),
        pod_cidr=network.pod_cidr,
        service_cidr=network.service_cidr,
        block_size=network.block_size,
        as_number=network.as_number,
        ingress_as_number=network.ingress_as_number or network.as_number,
        encapsulation=Encapsulation(network.encapsulation),
    )


def _numbers(config: Config) -> dict[str, int]:
    return numbers(config.ingress.count, config.workers, router=config.router)


def _machines(config: Config) -> tuple[Machine, ...]:
    def machine(name: str, number: int) -> Machine:
        role = Role(name.rstrip("0123456789"))
        memory, cpus = getattr(config.memory, role.value), getattr(config.cpus, role.value)
        return Machine(name, role, address(config.network.subnet, number), memory, cpus)

    return tuple(machine(name, number) for name, number in _numbers(config).items())


def _bgp(config: Config) -> Bgp:
    told = config.bgp
    return Bgp(told.hold_time, told.bfd, told.next_hop == "keep", Mesh(told.mesh), told.password)


def _vip(config: Config) -> VirtualAddress | None:
    if config.ingress.count < 2:
        return None
    shared = config.ingress.vip or address(config.network.subnet, VIRTUAL)
    return VirtualAddress(shared, config.ingress.advert_interval)


def _versions(config: Config, source: Source) -> Versions:
    if source is Source.DEBIAN:
        return DEBIAN
    given = config.versions
    return Versions(
        kubernetes=given.kubernetes or UPSTREAM.kubernetes,
        calico=given.calico or UPSTREAM.calico,
        controller=given.controller or UPSTREAM.controller,
        haproxy=given.haproxy or UPSTREAM.haproxy,
    )


def _mirrors(config: Config, source: Source) -> Mirrors:
    """Where upstream software is fetched. A cache in a folder is served by `up`, on the host's address in the lab."""
    told = config.sources.model_dump()
    offline = told.pop("offline") and source is Source.UPSTREAM
    given = {key: url.rstrip("/") for key, url in told.items() if url is not None}
    cache, folder = given.pop("cache", ""), ""
    if cache.startswith("/"):
        folder = cache
        cache = f"http://{address(config.network.subnet, GATEWAY)}:{CACHE_PORT}"
    return Mirrors(cache, tuple(given.items()), folder, offline)


def _box(config: Config, provider: Provider, source: Source) -> Box:
    box, traits = config.box, provider.traits
    name, version = OWN_BOX, ""
    if source is Source.UPSTREAM and traits.public_box:
        name, version = traits.public_box, traits.public_box_version
    if box.name is not None:
        name, version = box.name, ""
    return Box(name=name, version=box.version if box.version is not None else version, mirror=box.mirror or "")
