"""Where upstream software comes from: every address and checksum that labctl knows. Pure data.

Facts: pkgs.k8s.io (kubernetes.io, "Installing kubeadm"), docs.tigera.io (Calico 3.32), the releases of
projectcalico/calico and haproxytech/kubernetes-ingress (its .goreleaser.yml), haproxy.debian.net, Launchpad.
A checksum that could not be known here is empty: the machine takes it from the release's own list of sums or,
where there is none, from the first download, and it holds from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from labctl.model.calico import API_VERSION
from labctl.model.lab import Lab
from labctl.sources.releases import calico_release, minor, publishers_containerd


class Kind(StrEnum):
    """What a source holds."""

    PACKAGES = "packages"
    DISTRIBUTION = "distribution"
    FILE = "file"
    IMAGES = "images"
    BOXES = "boxes"


@dataclass(frozen=True, slots=True)
class Upstream:
    """One source. %ARCH% in a URL is Debian's word for the machine's architecture, %CPU% the kernel's.

    key: of labctl.yaml's ``sources:`` that points it at a mirror. origin: the publisher's address; url: where it is
    fetched. sums: the release's own list of SHA-256 sums. key_origin, signed_by: the key of a package source.
    """

    name: str
    key: str
    what: str
    kind: Kind
    version: str
    origin: str
    url: str
    packages: tuple[str, ...] = ()
    sums: str = ""
    sums_origin: str = ""
    sha256: str = ""
    key_origin: str = ""
    signed_by: str = ""

    @property
    def words(self) -> list[str]:
        """The words that fetch_checked takes (scripts/files/fetch.sh), without the file."""
        return [self.what, self.origin, self.url, self.sums, self.sha256]


REGISTRIES = {
    "registry.k8s.io": "https://registry.k8s.io",
    "quay.io": "https://quay.io",
    "docker.io": "https://registry-1.docker.io",
}
# Where `labctl cache serve` and `labctl up` serve a cache.
CACHE_PORT = 8950

# The distribution's own packages that each step wants; "time" is for base, on machines where nothing keeps the time.
DISTRIBUTION_PACKAGES = {
    "base": ("ca-certificates", "curl", "iproute2", "iputils-ping", "kmod", "nftables", "procps"),
    "time": ("systemd-timesyncd",),
    "runtime": ("containerd", "runc", "iptables", "conntrack", "ethtool", "socat"),
    "controller": ("socat",),
    "bird": ("bird2",),
    "keepalived": ("keepalived",),
}
_RELEASES = "https://github.com"
_RAW = "https://raw.githubusercontent.com/projectcalico/calico"
_PPA_KEY = "CFFB779AADC995E4F350A060505D97A41C61B9CD"


def upstreams(lab: Lab) -> tuple[Upstream, ...]:
    """Everything that a lab of the source upstream fetches, at its own versions, each from where labctl.yaml says."""
    found = (*_packages(lab), *_files(lab), *_images(lab), *_distribution(), *_boxes(lab))
    return tuple(_redirected(lab, source) for source in found)


def upstream_named(lab: Lab) -> dict[str, Upstream]:
    """The same, by name."""
    return {source.name: source for source in upstreams(lab)}


def _packages(lab: Lab) -> list[Upstream]:
    kubernetes, haproxy = lab.versions.kubernetes, lab.versions.haproxy
    core = f"https://pkgs.k8s.io/core:/stable:/v{minor(kubernetes)}/deb"
    debian, ppa = (
        "http://haproxy.debian.net",
        f"https://ppa.launchpadcontent.net/vbernat/haproxy-{minor(haproxy)}/ubuntu",
    )
    programs = ("kubelet", "kubeadm", "kubectl", "cri-tools", "kubernetes-cni")
    ubuntu_key = f"https://keyserver.ubuntu.com/pks/lookup?op=get&search=0x{_PPA_KEY}"
    return [
        _package_source("kubernetes", kubernetes, f"{core}/", f"{core}/Release.key", programs),
        _package_source("haproxy-debian", haproxy, debian, "https://haproxy.debian.net/haproxy-archive-keyring.gpg"),
        _package_source("haproxy-ubuntu", haproxy, ppa, ubuntu_key),
    ]


def _package_source(
    name: str, version: str, url: str, signed_by: str, packages: tuple[str, ...] = ("haproxy",)
) -> Upstream:
    key = name.partition("-")[0]
    what = f"packages of {key}"
    return Upstream(
        name, key, what, Kind.PACKAGES, version, url, url, packages, key_origin=signed_by, signed_by=signed_by
    )


def _files(lab: Lab) -> list[Upstream]:
    calico, controller = lab.versions.calico, lab.versions.controller
    manifests = f"{_RAW}/v{calico}/manifests"
    kinds = "v3_projectcalico_org.yaml" if lab.calico_api == API_VERSION else "operator-crds.yaml"
    tool = f"{_RELEASES}/projectcalico/calico/releases/download/v{calico}"
    release = f"{_RELEASES}/haproxytech/kubernetes-ingress/releases/download/v{controller}"
    archive = f"{release}/haproxy-ingress-controller_{controller}_Linux_%CPU%.tar.gz"
    containerd = publishers_containerd(lab.versions.kubernetes)
    runtime = f"{_RELEASES}/containerd/containerd/releases/download/v{containerd}"
    package = f"{runtime}/containerd-{containerd}-linux-%ARCH%.tar.gz"
    return [
        *([_file("containerd", "containerd", containerd, package, f"{package}.sha256sum")] if containerd else []),
        _file("calico-crds", "Calico's kinds of objects", calico, f"{manifests}/{kinds}"),
        _file("calico-operator", "Calico's operator", calico, f"{manifests}/tigera-operator.yaml"),
        _file("calicoctl", "calicoctl", calico, f"{tool}/calicoctl-linux-%ARCH%", f"{tool}/SHA256SUMS"),
        _file("controller", "the ingress controller", controller, archive, f"{release}/checksums.txt"),
    ]


def _file(name: str, what: str, version: str, url: str, sums: str = "") -> Upstream:
    key = name if name in {"controller", "containerd"} else "calico"
    return Upstream(name, key, what, Kind.FILE, version, url, url, sums=sums, sums_origin=sums)


def calico_images(lab: Lab) -> list[str]:
    """The images of Calico that run in the lab; its manifest names the operator's own."""
    version = lab.versions.calico
    return [f"quay.io/calico/{name}:v{version}" for name in calico_release(version).images]


def _images(lab: Lab) -> list[Upstream]:
    registry = image_parts(lab.app.image)[0]
    wanted = REGISTRIES if registry in REGISTRIES else {**REGISTRIES, registry: f"https://{registry}"}
    return [Upstream(name, "images", "container images", Kind.IMAGES, "", url, url) for name, url in wanted.items()]


def image_parts(image: str) -> tuple[str, str, str]:
    """Registry, repository, tag or digest of an image (github.com/distribution/reference, normalize.go)."""
    first, _, rest = image.partition("/")
    if rest and (set(".:") & set(first) or first == "localhost"):
        registry, name = first, rest
    else:
        registry, name = "docker.io", image if rest else f"library/{image}"
    name, _, digest = name.partition("@")
    name, _, tag = name.partition(":")
    return registry, name, digest or tag or "latest"


def _distribution() -> list[Upstream]:
    places = {
        "debian": "http://deb.debian.org/debian",
        "debian-security": "http://deb.debian.org/debian-security",
        "ubuntu": "http://archive.ubuntu.com/ubuntu",
    }
    what = "the distribution's packages"
    return [Upstream(name, "distribution", what, Kind.DISTRIBUTION, "", url, url) for name, url in places.items()]


def _boxes(lab: Lab) -> list[Upstream]:
    """The public box: Vagrant's own catalogue (Vagrant, "config.vm.box") tells where it lies, and its checksum."""
    if "/" not in lab.box.name or not lab.box.version:
        return []
    url = f"https://vagrantcloud.com/{lab.box.name}"
    return [Upstream("box", "boxes", f"the box {lab.box.name}", Kind.BOXES, lab.box.version, url, url)]


def _redirected(lab: Lab, source: Upstream) -> Upstream:
    """The source at the mirror that labctl.yaml names for it, or in the cache: offline always there.

    A mirror takes the place of scheme and host; a cache has a folder per host, and serves images as a registry does.
    """
    mirror = "" if lab.mirrors.offline else dict(lab.mirrors.single).get(source.key)
    if source.kind is Kind.BOXES and not lab.mirrors.offline:  # Vagrant itself knows nothing of caches
        return replace(source, url=f"{mirror}/{lab.box.name}" if mirror else source.origin)
    if source.kind is Kind.IMAGES:
        cached = f"{lab.mirrors.cache}/v2/{source.name}" if lab.mirrors.cache else ""
        return replace(source, url=mirror or cached or source.origin)

    def moved(url: str) -> str:
        if not url or not (mirror or lab.mirrors.cache):
            return url
        host, path = urlsplit(url).netloc, url.split("://", 1)[1].partition("/")[2]
        return f"{mirror}/{path}" if mirror else f"{lab.mirrors.cache}/{cache_path(f'{host}/{path}')}"

    return replace(source, url=moved(source.url), sums=moved(source.sums), signed_by=moved(source.signed_by))


def cache_path(address: str) -> str:
    """Where an address without its scheme lies in a cache; what only means something in an address is spelled out."""
    return address.replace("?", "-").replace("&", "-").rstrip("/")


def cached_box(lab: Lab) -> str:
    """Where the lab's public box lies in a cache."""
    return f"boxes/{lab.box.name}/{lab.box.version or 'any'}/{lab.provider.value}.box"
