"""From checked values of labctl.yaml to the lab's model: addresses, machines, defaults that depend on other keys."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from labctl.config.schema import OWN_BOX, Config
from labctl.model.calico import API_VERSION
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
from labctl.sources.releases import default_versions, stored_api, with_patches
from labctl.sources.upstream import CACHE_PORT

# Host numbers in the lab's subnet; the article has .1 and .21 to .24. The router, the second ingress machine and the
# virtual address come before .21, so that the other machines keep the article's numbers.
GATEWAY = 1
ROUTER = 18
SECOND_INGRESS = 19
VIRTUAL_ADDRESS = 20
INGRESS = 21
CONTROLPLANE = 22
FIRST_WORKER = 23


def build(config: Config, provider: Provider, *, emulated: bool = False) -> Lab:
    """The lab that a checked configuration describes, on that provider.

    emulated: whether this host can only emulate the machines' processors.
    """
    source = choose_source(config, provider)
    versions = _versions(config, source)
    return Lab(
        name=config.name,
        provider=provider,
        source=source,
        network=_network(config),
        machines=_machines(config),
        limits=Limits(config.limits.memory, config.limits.cpus),
        app=App(host=config.app.host, replicas=config.app.replicas, image=config.app.image),
        versions=versions,
        box=_box(config, provider, source),
        emulated=emulated,
        vip=_vip(config),
        bgp=_bgp(config),
        calico_api=API_VERSION if source is Source.DEBIAN else stored_api(versions),
        mirrors=_mirrors(config, source),
    )


def choose_source(config: Config, provider: Provider) -> Source:
    """The configured source; for ``auto`` the provider's default."""
    return provider.traits.default_source if config.source == "auto" else Source(config.source)


def machine_numbers(ingresses: int, workers: int, *, router: bool = False) -> dict[str, int]:
    """The host number of each machine in the subnet, by name, in the order in which machines are listed."""
    numbers = {"ingress": INGRESS}
    if ingresses > 1:
        numbers["ingress2"] = SECOND_INGRESS
    if router:
        numbers["router1"] = ROUTER  # not "router": BIRD has a keyword of that name, so no session could have it
    numbers["controlplane"] = CONTROLPLANE
    return numbers | {f"worker{index + 1}": FIRST_WORKER + index for index in range(workers)}


def room_for_workers(subnet: IPv4Network) -> int:
    """How many workers the subnet has addresses for; 0 or less if none."""
    return subnet.num_addresses - 1 - FIRST_WORKER


def _address(subnet: IPv4Network, number: int) -> IPv4Address:
    """The address with that host number. Raises ValueError outside the subnet."""
    if not 0 < number < subnet.num_addresses - 1:
        raise ValueError(f"{subnet} has no address number {number}")
    return subnet.network_address + number


def _network(config: Config) -> Network:
    network = config.network
    return Network(
        subnet=network.subnet,
        gateway=_address(network.subnet, GATEWAY),
        pod_cidr=network.pod_cidr,
        service_cidr=network.service_cidr,
        block_size=network.block_size,
        as_number=network.as_number,
        ingress_as_number=network.ingress_as_number or network.as_number,
        encapsulation=Encapsulation(network.encapsulation),
    )


def _machines(config: Config) -> tuple[Machine, ...]:
    def machine(name: str, number: int) -> Machine:
        role = Role(name.rstrip("0123456789"))
        memory, cpus = getattr(config.memory, role.value), getattr(config.cpus, role.value)
        return Machine(name, role, _address(config.network.subnet, number), memory, cpus)

    numbers = machine_numbers(config.ingress.count, config.workers, router=config.router)
    return tuple(machine(name, number) for name, number in numbers.items())


def _bgp(config: Config) -> Bgp:
    bgp = config.bgp
    return Bgp(bgp.hold_time, bgp.bfd, bgp.next_hop == "keep", Mesh(bgp.mesh), bgp.password)


def _vip(config: Config) -> VirtualAddress | None:
    if config.ingress.count < 2:
        return None
    address = config.ingress.vip or _address(config.network.subnet, VIRTUAL_ADDRESS)
    return VirtualAddress(address, config.ingress.advert_interval)


def _versions(config: Config, source: Source) -> Versions:
    """The versions with source upstream; empty for Debian, whose archive has one of each."""
    if source is Source.DEBIAN:
        return Versions(kubernetes="", calico="", controller="", haproxy="")
    return with_patches(chosen_versions(config))


def chosen_versions(config: Config) -> Versions:
    """The default versions, with those that labctl.yaml sets in their place."""
    return replace(default_versions(), **config.versions.model_dump(exclude_none=True))


def _mirrors(config: Config, source: Source) -> Mirrors:
    """Where upstream software is fetched. `up` serves a cache in a folder itself, at the host's address in the lab."""
    urls = config.sources.model_dump(exclude_none=True)
    offline = urls.pop("offline") and source is Source.UPSTREAM
    urls = {key: url.rstrip("/") for key, url in urls.items()}
    cache, folder = urls.pop("cache", ""), ""
    if cache.startswith("/"):
        folder = cache
        cache = f"http://{_address(config.network.subnet, GATEWAY)}:{CACHE_PORT}"
    return Mirrors(cache, tuple(urls.items()), folder, offline)


def _box(config: Config, provider: Provider, source: Source) -> Box:
    box, traits = config.box, provider.traits
    name, version = OWN_BOX, ""
    if source is Source.UPSTREAM and traits.public_box:
        name, version = traits.public_box, traits.public_box_version
    if box.name is not None:
        name, version = box.name, ""
    return Box(name=name, version=box.version if box.version is not None else version, mirror=box.mirror or "")
