"""Stand-ins for the publishers of upstream software: what labctl's box has, under the publishers' addresses.

Nothing here comes from a real publisher: the packages called 1.36 hold Kubernetes 1.20 compiled from Debian's source,
the one called HAProxy 3.2 holds Debian's 3.0, crictl and the controller are a few lines of shell and Python. What is
real is the way: signed package sources, archives, lists of checksums, an HTTP server; apt, curl, systemd, containerd.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from labctl.box.oci import Entry, Image, add_image, image, layer_tar
from labctl.cache.images import blob_file, layout

KUBERNETES, HAPROXY, CONTROLLER = "1.36.9-1.1", "3.2.99-1~bpo13+1", "3.2.11"
CORE = "pkgs.k8s.io/core:/stable:/v1.36/deb"
RELEASE = f"github.com/haproxytech/kubernetes-ingress/releases/download/v{CONTROLLER}"

CRICTL = "#!/bin/sh\n# Stands in for crictl.\necho 'crictl version stand-in'\n"
CONTROLLER_PROGRAM = """\
#!/usr/bin/python3
# Stands in for HAProxy's ingress controller: starts a real HAProxy with its runtime socket, and waits for it.
import subprocess, sys
flags = dict(word[2:].split("=", 1) for word in sys.argv[1:] if "=" in word)
run, config = flags["runtime-dir"], flags["config-dir"] + "/haproxy.cfg"
with open(config, "w") as file:
    file.write(f"global\\n  stats socket {run}/haproxy-runtime-api.sock\\n"
               "defaults\\n  mode http\\n  timeout client 5s\\n  timeout server 5s\\n  timeout connect 5s\\n"
               "frontend http\\n  bind 0.0.0.0:80\\n  http-request return status 404\\n")
sys.exit(subprocess.call([flags["program"], "-db", "-f", config]))
"""


@dataclass
class Publishers:
    """A folder as a cache has it, one folder per publisher, and the key that signs its packages."""

    folder: Path
    gnupg: Path

    @classmethod
    def make(cls, folder: Path, box: Path, architecture: str) -> Publishers:
        """Publish what the box's root file system has."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        publishers = cls.empty(folder)
        publishers._kubernetes(box, architecture)
        publishers._haproxy(box, architecture)
        publishers.controller(CONTROLLER_PROGRAM)
        return publishers

    @classmethod
    def empty(cls, folder: Path) -> Publishers:
        """Publish nothing yet, with a new key."""
        publishers = cls(folder, Path(tempfile.mkdtemp(prefix="labctl-key-")))
        publishers._new_key()
        return publishers

    def close(self) -> None:
        """Forget the key."""
        subprocess.run(["gpgconf", "--homedir", str(self.gnupg), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(self.gnupg, ignore_errors=True)

    def controller(self, program: str) -> None:
        """Publish the controller's archive, for every architecture, with its list of checksums."""
        content = archive_of({"haproxy-ingress-controller": program.encode()})
        for cpu in ("x86_64", "arm64"):
            _write(self.folder / RELEASE / f"haproxy-ingress-controller_{CONTROLLER}_Linux_{cpu}.tar.gz", content)
        write_sums(self.folder / RELEASE, "checksums.txt", "*.tar.gz")

    def calico(self, version: str, operator: str) -> None:
        """Publish Calico's files under one mirror's folder. operator: the image that its manifest names."""
        home = self.folder / "calico/projectcalico/calico"
        manifest = f"kind: Deployment\nspec: {{template: {{spec: {{containers: [{{\n  image: {operator}\n}}]}}}}}}\n"
        _write(home / f"v{version}/manifests/operator-crds.yaml", b"kind: CustomResourceDefinition\n")
        _write(home / f"v{version}/manifests/tigera-operator.yaml", manifest.encode())
        release = home / f"releases/download/v{version}"
        for architecture in ("amd64", "arm64"):
            content = f"#!/bin/sh\necho 'Client Version: v{version}'\n"
            _write(release / f"calicoctl-linux-{architecture}", content.encode())
        write_sums(release, "SHA256SUMS", "calicoctl-*")

    def _kubernetes(self, box: Path, architecture: str) -> None:
        programs = {name: {f"usr/bin/{name}": box / f"usr/bin/{name}"} for name in ("kubelet", "kubeadm", "kubectl")}
        system = box / "etc/systemd/system"
        programs["kubelet"]["usr/lib/systemd/system/kubelet.service"] = system / "kubelet.service"
        drop_in = "kubelet.service.d/10-kubeadm.conf"
        programs["kubeadm"][f"usr/lib/systemd/system/{drop_in}"] = system / drop_in
        crictl = self.gnupg / "crictl"
        crictl.write_text(CRICTL)
        crictl.chmod(0o755)
        programs["cri-tools"] = {"usr/bin/crictl": crictl}
        programs["kubernetes-cni"] = {"opt/cni/labctl-stand-in": crictl}
        for name, files in programs.items():
            fields = {"Package": name, "Version": KUBERNETES, "Architecture": architecture}
            make_package(self.folder / CORE / architecture, fields, files)
        self.sign_kubernetes(self.folder / CORE)

    def _haproxy(self, box: Path, architecture: str) -> None:
        fields = {"Package": "haproxy", "Version": HAPROXY, "Architecture": architecture}
        files = {"usr/sbin/haproxy": box / "usr/sbin/haproxy"}
        make_package(self.folder / "haproxy.debian.net/pool", fields, files)
        self.sign_haproxy(self.folder / "haproxy.debian.net", "3.2", architecture)

    def sign_kubernetes(self, root: Path) -> None:
        """Make the packages below root a source as pkgs.k8s.io has it: a flat one, with its key beside it."""
        _write(root / "Release.key", self._gpg("--armor", "--export"))
        self._index(root, root, "")

    def sign_haproxy(self, root: Path, minor: str, architecture: str) -> None:
        """Make the packages below root a source as haproxy.debian.net has it, for Debian 13."""
        _write(root / "haproxy-archive-keyring.gpg", self._gpg("--export"))
        self._index(root, root / f"dists/trixie-backports-{minor}", f"main/binary-{architecture}/")

    def _index(self, root: Path, suite: Path, place: str) -> None:
        """Packages and a signed InRelease, as apt wants them."""
        entries = []
        for file in sorted(root.rglob("*.deb")):
            line = ["dpkg-deb", "--field", str(file)]
            fields = subprocess.run(line, check=True, capture_output=True, text=True).stdout
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            name = file.relative_to(root)
            entries.append(f"{fields.strip()}\nFilename: {name}\nSize: {len(content)}\nSHA256: {digest}\n")
        packages = "\n".join(entries).encode()
        _write(suite / place / "Packages", packages)
        digest = hashlib.sha256(packages).hexdigest()
        names = f"Suite: {suite.name}\nCodename: {suite.name}\nComponents: main\n" if place else ""
        release = f"Origin: labctl stand-in\n{names}Date: {format_datetime(datetime.now(UTC))}\n"
        release += f"SHA256:\n {digest} {len(packages)} {place}Packages\n"
        _write(suite / "InRelease", self._gpg("--clearsign", stdin=release.encode()))

    def _new_key(self) -> None:
        self.gnupg.chmod(0o700)
        self._gpg("--quick-generate-key", "labctl's stand-in for publishers", "ed25519", "sign", "never")

    def _gpg(self, *words: str, stdin: bytes = b"") -> bytes:
        line = ["gpg", "--homedir", str(self.gnupg), "--batch", "--quiet", "--pinentry-mode", "loopback"]
        return subprocess.run(
            [*line, "--passphrase", "", *words], input=stdin, check=True, capture_output=True, timeout=60
        ).stdout


def publish_images(folder: Path, names: Sequence[str], architecture: str) -> str:
    """Made images as docker-registry stores them, as a tar in base64."""
    for name in names:
        add_image(folder, image(name, architecture, layer_tar([Entry(name.replace("/", "-"))])))
    line = ["tar", "--create", "--directory", str(folder), "."]
    return base64.encodebytes(subprocess.run(line, check=True, capture_output=True).stdout).decode()


def write_sums(folder: Path, name: str, pattern: str) -> None:
    """A release's list of SHA-256 sums, of the files that match."""
    files = sorted(folder.glob(pattern))
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    _write(folder / name, sums.encode())


def publish_image(folder: Path, made: Image) -> None:
    """An image as `labctl cache serve` serves it, below the name `any` for all registries."""
    for blob in made.blobs:
        _write(blob_file(folder, blob.digest), blob.data)
    repository, _, tag = made.name.partition("/")[2].rpartition(":")
    index = json.dumps({"manifests": [made.manifest.descriptor()]})
    _write(layout(folder, "any", repository, tag) / "index.json", index.encode())


def make_package(folder: Path, fields: Mapping[str, str], files: Mapping[str, Path]) -> None:
    """A Debian package. fields: of its control file. files: places in the package, and where each file is here."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "package"
        for target, source in files.items():
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / target)
        control = {"Maintainer": "labctl's tests <nobody@example.org>", "Description": "packed for a test", **fields}
        _write(root / "DEBIAN/control", "".join(f"{key}: {value}\n" for key, value in control.items()).encode())
        for path in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            path.chmod(0o755)
        target = folder / "{Package}_{Version}_{Architecture}.deb".format(**control)
        line = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(target)]
        subprocess.run(line, check=True, capture_output=True, timeout=300)


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of programs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o755, len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.chmod(path, 0o644)  # noqa: PTH101
