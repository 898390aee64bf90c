"""The shape of labctl.yaml: every key, its type, its default and what is allowed. Pure data, no checks by meaning."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from labctl.config import values
from labctl.model.provider import Provider

PROVIDERS = ("auto", *(provider.value for provider in Provider))
SourceChoice = Literal["auto", "upstream", "debian"]

MAX_WORKERS = 64
MAX_AS_NUMBER = 2**32 - 1
MAX_REPLICAS = 200
MAX_SEATS = 99

NetworkText = Annotated[IPv4Network, BeforeValidator(values.network)]
AddressText = Annotated[IPv4Address, BeforeValidator(values.address)]
Version = Annotated[str, AfterValidator(values.version)]
MirrorText = Annotated[str, AfterValidator(values.mirror)]


def _field(default: Any, description: str, allowed: str, **limits: Any) -> Any:
    """A key of labctl.yaml. allowed: what an error says is allowed."""
    return Field(default=default, description=description, json_schema_extra={"allowed": allowed}, **limits)


def _number(default: int | None, low: int, high: int, description: str) -> Any:
    return _field(default, description, f"a whole number from {low} to {high}", ge=low, le=high)


def _megabytes(default: int, who: str) -> Any:
    return _number(default, 256, 1024 * 1024, f"Memory of {who}, in MiB.")


def _processors(default: int, who: str) -> Any:
    return _number(default, 1, 256, f"Processors of {who}.")


def _mirror_of(what: str) -> Any:
    """A key whose value takes the place of a publisher's address."""
    return _field(None, f"A mirror in place of {what}.", "a URL that begins with http:// or https://")


def _section(section: type[BaseModel], description: str) -> Any:
    return _field(section(), description, "a section of keys: " + ", ".join(section.model_fields))


class Section(BaseModel):
    """What all sections share: no unknown keys, no conversions between types, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NetworkSection(Section):
    """``network:``."""

    subnet: NetworkText = _field(
        IPv4Network("192.168.50.0/24"),
        "The lab's own network. The host gets .1 in it, ingress .21, controlplane .22, worker1 .23 and so on. "
        "Where VirtualBox does not allow the default, it is 192.168.56.0/24.",
        "an IPv4 network such as 192.168.50.0/24",
    )
    pod_cidr: NetworkText = _field(
        IPv4Network("172.16.0.0/16"),
        "The network that pods get their addresses from.",
        "an IPv4 network such as 172.16.0.0/16",
    )
    service_cidr: NetworkText = _field(
        IPv4Network("10.96.0.0/12"),
        "The network of the Services' cluster addresses.",
        "an IPv4 network such as 10.96.0.0/12",
    )
    block_size: int = _number(26, 20, 32, "Prefix length of the block of pod addresses that each node gets.")
    as_number: int = _number(65000, 1, MAX_AS_NUMBER, "AS number of the cluster's nodes.")
    ingress_as_number: int | None = _field(
        None,
        "AS number of BIRD on ingress. Default: that of the nodes (iBGP).",
        f"a whole number from 1 to {MAX_AS_NUMBER}",
        ge=1,
        le=MAX_AS_NUMBER,
    )
    encapsulation: Literal["none", "vxlan", "ipip"] = _field(
        "none",
        "How packets between pods of different nodes cross the lab's network: as they are, or in a tunnel. For source "
        "upstream: the stand-in for Calico's agent has no tunnels. Requests from ingress never go through one.",
        "one of none, vxlan, ipip",
    )


class IngressSection(Section):
    """``ingress:``."""

    count: int = _number(1, 1, 2, "How many machines take requests. With two, one stands by for the other.")
    vip: AddressText | None = _field(
        None,
        "The address that clients ask where there are two: the one that is able has it (Keepalived). Default: .20.",
        "an IPv4 address of network.subnet that no machine has",
    )
    advert_interval: float = _field(
        1.0,
        "Seconds from one sign of life (VRRP) to the next; after three that did not come the other machine takes over.",
        "a number from 0.1 to 10",
        ge=0.1,
        le=10,
        allow_inf_nan=False,
    )


class BgpSection(Section):
    """``bgp:``."""

    hold_time: int = _number(30, 3, 240, "Seconds without a word after which ingress takes a session for dead.")
    bfd: bool = _field(
        False,
        "Whether both ends also watch each other by BFD, which notices within a second. Calico has no BFD: this is for "
        "the stand-in, source debian.",
        "true or false",
    )
    next_hop: Literal["auto", "keep"] = _field(
        "auto",
        "What a node says of routes that it tells on. auto: over eBGP itself, which is wrong for the other nodes' "
        "blocks; keep: the node that has the block.",
        "one of auto, keep",
    )
    mesh: Literal["full", "reflector"] = _field(
        "full",
        "How nodes learn the other nodes' blocks. full: a session between any two; reflector: ingress, or the router, "
        "reflects them.",
        "one of full, reflector",
    )
    password: bool = _field(
        False,
        "Whether the sessions of the nodes with ingress, or with the router, are signed with a password (MD5); "
        "labctl makes one.",
        "true or false",
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


class AppSection(Section):
    """``app:``."""

    host: Annotated[str, AfterValidator(values.host)] = _field(
        "test.local", "The name that the application answers to.", "a host name in lower case such as test.local"
    )
    replicas: int = _number(5, 0, MAX_REPLICAS, "How many pods of the application run.")
    image: Annotated[str, AfterValidator(values.image)] = _field(
        "jmalloc/echo-server", "The application's image.", "an image reference such as jmalloc/echo-server:latest"
    )


class VersionsSection(Section):
    """``versions:``."""

    kubernetes: Version | None = _field(
        None, "Kubernetes. Default: 1.35.", 'a version in quotes, without v, such as "1.35" or "1.35.1"'
    )
    calico: Version | None = _field(
        None, "Calico. Default: 3.32.1.", 'a version in quotes, without v, such as "3.32.1"'
    )
    controller: Version | None = _field(
        None,
        "HAProxy Kubernetes Ingress Controller. Default: 3.2.11.",
        'a version in quotes, without v, such as "3.2.11"',
    )
    haproxy: Version | None = _field(None, "HAProxy. Default: 3.2.", 'a version in quotes, without v, such as "3.2"')


class SourcesSection(Section):
    """``sources:``."""

    cache: Annotated[str, AfterValidator(values.cache)] | None = _field(
        None,
        "What `labctl cache pull` fetched: the address where `labctl cache serve` serves it, or its folder here. "
        "Any web server with a folder per publisher will do: https://pkgs.k8s.io/x is asked there as /pkgs.k8s.io/x.",
        "a URL that begins with http:// or https://, or an absolute path without spaces",
    )
    offline: bool = _field(
        False, "Whether nothing but the cache is asked; so does `labctl up --offline`.", "true or false"
    )
    kubernetes: MirrorText | None = _mirror_of("https://pkgs.k8s.io")
    calico: MirrorText | None = _mirror_of("https://raw.githubusercontent.com and https://github.com, for Calico")
    controller: MirrorText | None = _mirror_of("https://github.com, for the controller")
    haproxy: MirrorText | None = _mirror_of("http://haproxy.debian.net (or Ubuntu's PPA)")
    images: MirrorText | None = _mirror_of(
        "registry.k8s.io, quay.io and docker.io, as a registry that fetches for them"
    )
    distribution: MirrorText | None = _mirror_of(
        "http://deb.debian.org (or http://archive.ubuntu.com), for the machines' own packages"
    )
    boxes: MirrorText | None = _mirror_of("https://vagrantcloud.com (as application/json)")


class BoxSection(Section):
    """``box:``."""

    name: Annotated[str, AfterValidator(values.box_name)] | None = _field(
        None,
        "Vagrant's name of the box. Default: bento/debian-13 for virtual machines; for LXC the box that labctl builds.",
        "a box name such as bento/debian-13",
    )
    version: Annotated[str, AfterValidator(values.box_version)] | None = _field(
        None, "Version of the box. Default: the one that labctl was tried with.", "a version such as 202510.26.0"
    )
    mirror: MirrorText | None = _field(
        None,
        "Debian mirror for the box that labctl builds. Default: the host's own.",
        "a URL such as http://deb.debian.org/debian",
    )


class LimitsSection(Section):
    """``limits:``."""

    memory: int | None = _field(
        None,
        "The most memory that the lab's LXC machines may use together, in MiB. Default: no limit.",
        "a whole number from 1024 to 1048576",
        ge=1024,
        le=1024 * 1024,
    )
    cpus: float | None = _field(
        None,
        "The most processors that the lab's LXC machines may use together, such as 1.5. Default: no limit.",
        "a number from 0.5 to 1024",
        ge=0.5,
        le=1024,
    )


class ClassroomSection(Section):
    """``classroom:``."""

    seats: int = _number(12, 1, MAX_SEATS, "How many seats `labctl class up` brings up.")
    first_seat: int = _number(1, 1, MAX_SEATS, "The first seat's number; a second server goes on where the first ends.")
    first_subnet: NetworkText = _field(
        IPv4Network("192.168.101.0/24"),
        "The first seat's network.subnet; each further seat gets the next network of that size.",
        "an IPv4 network such as 192.168.101.0/24",
    )
    first_service_cidr: NetworkText = _field(
        IPv4Network("10.101.0.0/16"),
        "The first seat's network.service_cidr; each further seat gets the next network of that size.",
        "an IPv4 network such as 10.101.0.0/16",
    )
    at_once: int | None = _field(
        None,
        "How many seats come up side by side. Default: one per two processors of the server.",
        f"a whole number from 1 to {MAX_SEATS}",
        ge=1,
        le=MAX_SEATS,
    )


class Config(Section):
    """The whole of labctl.yaml."""

    name: Annotated[str, AfterValidator(values.name)] = _field(
        "lab",
        "Name of the lab. Labs with different names and subnets live side by side.",
        "a DNS label: a-z, 0-9 and -, at most 40 characters",
    )
    provider: Annotated[str, AfterValidator(values.one_of(PROVIDERS))] = _field(
        "auto",
        "Where the machines run. auto: VirtualBox where it works, else LXC on Linux.",
        "one of " + ", ".join(PROVIDERS),
    )
    source: SourceChoice = _field(
        "auto",
        "Where the software comes from. upstream: today's releases from the internet; debian: Debian's archive alone. "
        "auto: debian on LXC, else upstream.",
        "one of " + ", ".join(get_args(SourceChoice)),
    )
    emulated: bool | None = _field(
        None,
        "Whether the machines are emulated in software, so that all gets more time: libvirt's, or LXC's on a host that"
        " is. Default: libvirt's without KVM.",
        "true or false",
    )
    workers: int = _number(2, 1, MAX_WORKERS, "How many workers the cluster has.")
    network: NetworkSection = _section(NetworkSection, "Networks and BGP.")
    ingress: IngressSection = _section(IngressSection, "The machines outside the cluster that take requests.")
    router: bool = _field(
        False,
        "Whether a machine of its own stands between ingress and the nodes, .18: the article's Layer 3 device. The "
        "nodes and ingress have BGP sessions with it alone, and requests to pods go by way of it.",
        "true or false",
    )
    bgp: BgpSection = _section(BgpSection, "The BGP sessions of ingress, or of the router, with the nodes.")
    memory: MemorySection = _section(MemorySection, "Memory of the machines.")
    cpus: CpusSection = _section(CpusSection, "Processors of the machines.")
    limits: LimitsSection = _section(LimitsSection, "What the lab's machines may use together, where they are LXC's.")
    app: AppSection = _section(AppSection, "The application that the lab serves.")
    versions: VersionsSection = _section(
        VersionsSection, "Versions, where the source is upstream (Debian's archive has one version of each)."
    )
    sources: SourcesSection = _section(
        SourcesSection, "Where upstream software is fetched instead of at its publishers (source: upstream)."
    )
    box: BoxSection = _section(BoxSection, "The box that the machines are made from.")
    classroom: ClassroomSection = _section(
        ClassroomSection, "Many seats on one server, for `labctl class`: each is a lab as the rest of this file says."
    )


KeyPath = tuple[str, ...]


def section_at(path: KeyPath) -> type[BaseModel] | None:
    """The section that stands at a key path, or None if the path is a plain key or unknown."""
    section: type[BaseModel] = Config
    for key in path:
        field = section.model_fields.get(key)
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return None
        section = kind
    return section


def allowed_at(path: KeyPath) -> str:
    """What is allowed at a key path; an empty text for an unknown one."""
    parent = section_at(path[:-1]) if path else None
    field = parent.model_fields.get(path[-1]) if parent else None
    extra = field.json_schema_extra if field else None
    return str(extra.get("allowed", "")) if isinstance(extra, dict) else ""


def all_keys() -> tuple[KeyPath, ...]:
    """Every key path of labctl.yaml, sections included, in the order of the schema."""
    paths: list[KeyPath] = []
    for name in Config.model_fields:
        paths.append((name,))
        section = section_at((name,))
        if section is not None:
            paths += [(name, key) for key in section.model_fields]
    return tuple(paths)
