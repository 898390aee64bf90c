"""The shape of labctl.yaml: every key with its type, default and meaning, each declared once.

`labctl init`, docs/reference/labctl-yaml.md, error messages and options of commands take their texts from here.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from labctl.config.values import (
    AddressText,
    BoxName,
    BoxVersion,
    CacheText,
    HostText,
    ImageText,
    MirrorText,
    NameText,
    NetworkText,
    VersionText,
    one_of,
)
from labctl.model.provider import Provider, Source
from labctl.sources.releases import default_versions, minor

PROVIDERS, SOURCES = ("auto", *Provider), ("auto", *Source)
MAX_AS_NUMBER = 2**32 - 1
MAX_SEATS = 99
# The box that labctl builds from Debian's archive.
OWN_BOX = "labctl/debian-13"

_DEFAULT = default_versions()
_PUBLIC = next(provider.traits for provider in Provider if provider.traits.public_box)


def _key(
    default: Any, description: str, allowed: str = "", *, computed: str = "", example: str = "", **limits: Any
) -> Any:
    """A key of labctl.yaml.

    allowed: what an error says is allowed, if the type alone does not tell. computed: the default in words, for a key
    whose default depends on other things. example: a value as labctl.yaml has it, for a key without a default.
    """
    extra: dict[str, Any] = {"allowed": allowed, "computed": computed, "example": example}
    return Field(default=default, description=description, json_schema_extra=extra, **limits)


def _network(default: str, description: str) -> Any:
    return _key(IPv4Network(default), description, f"an IPv4 network such as {default}")


def _megabytes(default: int, machine: str) -> Any:
    return _key(default, f"Memory of {machine} in MiB.", ge=256, le=1024 * 1024)


def _processors(default: int, machine: str) -> Any:
    return _key(default, f"Processors of {machine}.", ge=1, le=256)


def _version(default: str, software: str) -> Any:
    patch = default if default != minor(default) else f"{default}.1"
    allowed = f'a version in quotes, without v, such as "{minor(default)}" or "{patch}"'
    return _key(None, f"Version of {software}.", allowed, computed=default, example=f'"{default}"')


def _mirror(publisher: str, key: str) -> Any:
    """A key whose value replaces a publisher's address."""
    allowed, example = "a URL that begins with http:// or https://", f"https://mirror.example.org/{key}"
    return _key(None, f"Mirror of {publisher}.", allowed, computed="the publisher itself", example=example)


def _section(section: type[BaseModel], description: str) -> Any:
    return _key(section(), description, "a section of keys: " + ", ".join(section.model_fields))


class Section(BaseModel):
    """What all sections share: no unknown keys, no conversions between types, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NetworkSection(Section):
    """``network:``."""

    subnet: NetworkText = _network(
        "192.168.50.0/24",
        "The lab's own network. The host gets .1, ingress .21, controlplane .22, worker1 .23 and so on. If VirtualBox "
        "does not allow the default on this host, labctl uses 192.168.56.0/24.",
    )
    pod_cidr: NetworkText = _network("172.16.0.0/16", "Network for the addresses of pods.")
    service_cidr: NetworkText = _network("10.96.0.0/12", "Network for the cluster IPs of Services.")
    block_size: int = _key(26, "Prefix length of the block of pod addresses that each node gets.", ge=20, le=32)
    as_number: int = _key(65000, "AS number of the nodes.", ge=1, le=MAX_AS_NUMBER)
    ingress_as_number: int | None = _key(
        None, "AS number of BIRD on ingress.", computed="as_number (iBGP)", example="65000", ge=1, le=MAX_AS_NUMBER
    )
    encapsulation: Literal["none", "vxlan", "ipip"] = _key(
        "none",
        "How packets between pods on different nodes cross the lab's network: as they are, or in a tunnel. Tunnels "
        "need source upstream: the stand-in for Calico's agent has none. Requests from ingress never use a tunnel.",
    )


class IngressSection(Section):
    """``ingress:``."""

    count: int = _key(1, "Number of ingress machines. With two, one is active and one is on standby.", ge=1, le=2)
    vip: AddressText | None = _key(
        None,
        "Virtual IP address that clients use if there are two ingress machines. Keepalived moves it between them.",
        "an IPv4 address of network.subnet that no machine has",
        computed=".20 in network.subnet",
        example="192.168.50.20",
    )
    advert_interval: float = _key(
        1.0,
        "Seconds between VRRP advertisements. After three missed ones, the standby machine takes over.",
        ge=0.1,
        le=10,
        allow_inf_nan=False,
    )


class BgpSection(Section):
    """``bgp:``."""

    hold_time: int = _key(30, "Hold time: seconds without a message after which a session is closed.", ge=3, le=240)
    bfd: bool = _key(
        False,
        "Whether both ends also run BFD, which detects a dead peer within a second. Needs source debian: Calico has no "
        "BFD, its stand-in does.",
    )
    next_hop: Literal["auto", "keep"] = _key(
        "auto",
        "Next hop on re-advertised routes. auto: the node itself over eBGP, which is wrong for the blocks of other "
        "nodes; keep: the node that owns the block.",
    )
    mesh: Literal["full", "reflector"] = _key(
        "full",
        "How nodes learn the blocks of other nodes. full: a session between every two nodes; reflector: ingress, or "
        "the router, is the route reflector.",
    )
    password: bool = _key(
        False,
        "Whether the nodes' sessions with ingress, or with the router, are authenticated with a TCP MD5 password. "
        "labctl generates it.",
    )


class MemorySection(Section):
    """``memory:``."""

    ingress: int = _megabytes(1024, "ingress")
    router: int = _megabytes(512, "the router")
    controlplane: int = _megabytes(2048, "controlplane")
    worker: int = _megabytes(2048, "each worker")


class CpusSection(Section):
    """``cpus:``."""

    ingress: int = _processors(1, "ingress")
    router: int = _processors(1, "the router")
    controlplane: int = _processors(2, "controlplane")
    worker: int = _processors(2, "each worker")


class LimitsSection(Section):
    """``limits:``."""

    memory: int | None = _key(
        None,
        "Memory in MiB that the lab's LXC machines may use together.",
        computed="no limit",
        example="2048",
        ge=1024,
        le=1024 * 1024,
    )
    cpus: float | None = _key(
        None,
        "Processors that the lab's LXC machines may use together, such as 1.5.",
        computed="no limit",
        example="1.5",
        ge=0.5,
        le=1024,
    )


class AppSection(Section):
    """``app:``."""

    host: HostText = _key(
        "test.local", "Host name that the application answers to.", "a host name in lower case such as test.local"
    )
    replicas: int = _key(5, "Number of pods of the application.", ge=0, le=200)
    image: ImageText = _key(
        "jmalloc/echo-server",
        "Container image of the application.",
        "an image reference such as jmalloc/echo-server:latest",
    )


class VersionsSection(Section):
    """``versions:``."""

    kubernetes: VersionText | None = _version(_DEFAULT.kubernetes, "Kubernetes")
    calico: VersionText | None = _version(_DEFAULT.calico, "Calico")
    controller: VersionText | None = _version(_DEFAULT.controller, "HAProxy Kubernetes Ingress Controller")
    haproxy: VersionText | None = _version(_DEFAULT.haproxy, "HAProxy")


class SourcesSection(Section):
    """``sources:``."""

    cache: CacheText | None = _key(
        None,
        "Cache that `labctl cache pull` filled: its folder on this host, or the URL where `labctl cache serve` serves "
        "it. Any web server with a folder per publisher works: https://pkgs.k8s.io/x is requested as /pkgs.k8s.io/x.",
        "a URL that begins with http:// or https://, or an absolute path without spaces",
        computed="none",
        example="http://cache.example.org:8080",
    )
    offline: bool = _key(
        False, "Whether to use only the cache that `labctl cache pull` fills. So does `labctl up --offline`."
    )
    kubernetes: MirrorText | None = _mirror("https://pkgs.k8s.io", "kubernetes")
    containerd: MirrorText | None = _mirror("https://github.com, for containerd", "containerd")
    calico: MirrorText | None = _mirror(
        "https://raw.githubusercontent.com and https://github.com, for Calico", "calico"
    )
    controller: MirrorText | None = _mirror("https://github.com, for the ingress controller", "controller")
    haproxy: MirrorText | None = _mirror("http://haproxy.debian.net (or Ubuntu's PPA)", "haproxy")
    images: MirrorText | None = _mirror(
        "registry.k8s.io, quay.io and docker.io: a registry that is a pull-through cache of them", "images"
    )
    distribution: MirrorText | None = _mirror(
        "http://deb.debian.org (or http://archive.ubuntu.com), for the machines' own packages", "distribution"
    )
    boxes: MirrorText | None = _mirror("https://vagrantcloud.com, with its JSON", "boxes")


class BoxSection(Section):
    """``box:``."""

    name: BoxName | None = _key(
        None,
        "Name of the Vagrant box.",
        f"a box name such as {_PUBLIC.public_box}",
        computed=f"{_PUBLIC.public_box} for upstream virtual machines, otherwise the box that labctl builds",
        example=_PUBLIC.public_box,
    )
    version: BoxVersion | None = _key(
        None,
        "Version of the Vagrant box.",
        f"a version such as {_PUBLIC.public_box_version}",
        computed=f"{_PUBLIC.public_box_version} for {_PUBLIC.public_box}, otherwise any",
        example=_PUBLIC.public_box_version,
    )
    mirror: MirrorText | None = _key(
        None,
        "Debian mirror for the box that labctl builds.",
        "a URL such as http://deb.debian.org/debian",
        computed="the mirror of this host",
        example="http://deb.debian.org/debian",
    )


class ClassroomSection(Section):
    """``classroom:``."""

    seats: int = _key(12, "Number of seats.", ge=1, le=MAX_SEATS)
    first_seat: int = _key(
        1, "Number of the first seat. A second server continues where the first one ends.", ge=1, le=MAX_SEATS
    )
    first_subnet: NetworkText = _network(
        "192.168.101.0/24", "network.subnet of the first seat. Each further seat gets the next network of that size."
    )
    first_service_cidr: NetworkText = _network(
        "10.101.0.0/16", "network.service_cidr of the first seat. Each further seat gets the next network of that size."
    )
    at_once: int | None = _key(
        None,
        "Number of seats that come up in parallel.",
        computed="one per processor of the server",
        example="2",
        ge=1,
        le=MAX_SEATS,
    )


class Config(Section):
    """The whole of labctl.yaml."""

    name: NameText = _key(
        "lab",
        "Name of the lab. Labs with different names and subnets can run side by side.",
        "a DNS label: a-z, 0-9 and -, at most 40 characters",
    )
    provider: Annotated[str, one_of(*PROVIDERS)] = _key(
        "auto",
        "Where the machines run. auto: VirtualBox if it works on this host, otherwise LXC on Linux.",
        "one of " + ", ".join(PROVIDERS),
    )
    source: Annotated[str, one_of(*SOURCES)] = _key(
        "auto",
        "Where the software comes from. upstream: current releases from the internet; debian: only Debian's archive; "
        "auto: debian on LXC, otherwise upstream.",
        "one of " + ", ".join(SOURCES),
    )
    emulated: bool | None = _key(
        None,
        "Whether the machines' processors are emulated in software, so that everything may take longer. Set it to true "
        "for LXC or VirtualBox on a host that is itself emulated.",
        computed="true on libvirt without KVM, otherwise false",
        example="false",
    )
    workers: int = _key(2, "Number of workers.", ge=1, le=64)
    network: NetworkSection = _section(NetworkSection, "Networks and AS numbers.")
    ingress: IngressSection = _section(IngressSection, "The machines outside the cluster that take requests.")
    router: bool = _key(
        False,
        "Whether a router (.18) stands between ingress and the nodes: the article's Layer 3 device. The nodes and "
        "ingress then have BGP sessions only with the router, and requests to pods pass through it.",
    )
    bgp: BgpSection = _section(BgpSection, "BGP sessions between the nodes and ingress, or the router.")
    memory: MemorySection = _section(MemorySection, "Memory of the machines.")
    cpus: CpusSection = _section(CpusSection, "Processors of the machines.")
    snapshot: bool = _key(
        False,
        "Whether to save a snapshot named up when the lab is first verified. `labctl snapshot restore up` goes back.",
    )
    limits: LimitsSection = _section(LimitsSection, "Limits for all of the lab's machines together (LXC only).")
    app: AppSection = _section(AppSection, "The application that the lab serves.")
    versions: VersionsSection = _section(
        VersionsSection, "Versions of the software with source upstream. Debian's archive has one version of each."
    )
    sources: SourcesSection = _section(
        SourcesSection, "Mirrors and caches that replace the publishers' servers (source upstream)."
    )
    box: BoxSection = _section(BoxSection, "The Vagrant box that the machines are created from.")
    classroom: ClassroomSection = _section(
        ClassroomSection, "Seats for `labctl class`: many labs on one server, each as the rest of this file describes."
    )
