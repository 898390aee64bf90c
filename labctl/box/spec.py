"""The contents of a box as data, and the digests that identify a box and its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labctl.sources.kubernetes import DEBIAN_KUBERNETES

HERE = Path(__file__).parent
# The box's own files: scripts, sources, configuration.
FILES = HERE / "files"

MACHINE_PACKAGES = (
    # the machine itself
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "libnss-myhostname", "ca-certificates", "kmod"),
    # for labctl's own programs on the machines
    *("python3", "python3-kubernetes", "python3-yaml", "python3-jinja2"),
    # routing, proxy, cluster
    *("bird2", "haproxy", "etcd-server", "etcd-client", "containerd", "runc", "containernetworking-plugins"),
    *("keepalived", "docker-registry", "iptables", "nftables", "conntrack", "ethtool", "socat", "iproute2"),
    # tools for teaching
    *("curl", "traceroute", "tcpdump", "iputils-ping", "procps", "psmisc", "less", "vim-tiny", "jq", "wrk", "zstd"),
)

# coreutils for "env -C"; Debian's reflect2 1.0.2 replaces Kubernetes' 1.0.1, which panics under Go >= 1.18.
BUILD_PACKAGES = ("golang-go", "gcc", "libc6-dev", "coreutils", "golang-github-modern-go-reflect2-dev")

# The packages whose versions are in box.json.
SHOWN_PACKAGES = (
    *("systemd", "openssh-server", "bird2", "haproxy", "etcd-server", "containerd", "runc", "docker-registry"),
    *("containernetworking-plugins", "iptables", "nftables", "keepalived", "python3", "python3-kubernetes", "wrk"),
)

CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
ON_MACHINES = ("kubeadm", "kubectl", "kubelet")


def digest_of(parts: Iterable[str | bytes]) -> str:
    """A short hash of a list of parts. Each part's length is hashed, too, so that its limits count."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hashed.update(f"{len(data)}:".encode() + data)
    return hashed.hexdigest()[:12]


def files_digest(*names: str) -> str:
    """A hash of the paths and contents of files in ``files/``, or of all files in a folder there."""
    parts: list[str | bytes] = []
    for name in names:
        top = FILES / name
        for path in sorted(p for p in top.rglob("*") if p.is_file()) if top.is_dir() else [top]:
            parts += [path.relative_to(FILES).as_posix(), path.read_bytes()]
    return digest_of(parts)


def code_digest(*modules: str) -> str:
    """A hash of the source code of modules of this package."""
    return digest_of((HERE / f"{module}.py").read_bytes() for module in modules)


@dataclass(frozen=True)
class BoxSpec:
    """The description of a box. Together with the package's files, it determines everything in the box."""

    arch: str
    suite: str = "trixie"
    build_suite: str = "bookworm"
    kubernetes: str = DEBIAN_KUBERNETES
    machine_packages: tuple[str, ...] = MACHINE_PACKAGES
    build_packages: tuple[str, ...] = BUILD_PACKAGES
    registry: str = "k8s.gcr.io"
    pause: str = "k8s.gcr.io/pause:3.2"
    echo: str = "docker.io/jmalloc/echo-server:latest"

    @property
    def kube_proxy(self) -> str:
        """The image of kube-proxy; kubeadm derives its tag from its own version."""
        return self.kube_image("kube-proxy")

    def kube_image(self, program: str) -> str:
        """The image that kubeadm uses for a program of Kubernetes."""
        return f"{self.registry}/{program}:v{self.kubernetes}"

    @property
    def kubernetes_digest(self) -> str:
        """The digest of everything that the compiled programs depend on."""
        files = files_digest("buildroot.sh", "compile.sh", "pause.c", "echo-server.go")
        return digest_of([self.arch, self.build_suite, self.kubernetes, *self.build_packages, files])

    @property
    def rootfs_digest(self) -> str:
        """The digest of everything that the machines' root file system depends on."""
        return digest_of([self.arch, self.suite, *self.machine_packages, files_digest("rootfs.sh", "rootfs")])

    @property
    def images_digest(self) -> str:
        """The digest of everything that the container images depend on."""
        code = code_digest("images", "oci")
        return digest_of([self.kubernetes_digest, self.rootfs_digest, self.registry, self.pause, self.echo, code])

    @property
    def store_digest(self) -> str:
        """The digest of everything that containerd's unpacked images depend on."""
        return digest_of([self.images_digest, files_digest("store.sh")])

    @property
    def digest(self) -> str:
        """The digest of the whole box."""
        return digest_of([self.store_digest, files_digest("lxc-config", "lxc-template"), code_digest("build")])
