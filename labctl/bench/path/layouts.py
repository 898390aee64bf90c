"""The two layouts on one lab: the external one exists already, the traditional one is added and removed again."""

from __future__ import annotations

import base64
import gzip
import json
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

from labctl.box.oci import Entry, image, layer_tar, write_archive
from labctl.errors import HostError, LabctlError
from labctl.model.lab import Lab, Source
from labctl.ssh.connections import Connections

NAMESPACE = "labctl-bench"
IMAGE = "docker.io/labctl/of-the-node:bench"
PORT = 8088
"""Of the load balancer on ingress; the controller uses 80, 443, 1024 and 1042 there."""
_UNIT = "labctl-bench-balancer"
_FOLDER = "/run/labctl-bench"
_ADMIN = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
_DEADLINE = 180.0
_PACK_PROGRAMS = (
    "set -o pipefail; libraries=$(ldd /usr/sbin/haproxy | grep -o '/[^ ]*') && "
    "tar --create --dereference --hard-dereference --owner=0 --group=0 --directory=/ --transform='s,^/,,' "
    "--absolute-names /usr/local/bin/haproxy-ingress-controller /usr/sbin/haproxy $libraries | gzip -1 | base64"
)
# A load balancer that was not removed stops by itself.
_MAX_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Layout:
    """A path for requests into the cluster. port: where it begins, on ingress."""

    name: str
    title: str
    port: int


EXTERNAL = Layout("external", "client → HAProxy on ingress → pod", 80)
TRADITIONAL = Layout("traditional", "client → load balancer → NodePort → HAProxy in a pod → pod", PORT)
LAYOUTS = (EXTERNAL, TRADITIONAL)


def require_own_box(lab: Lab) -> None:
    """Raise HostError unless the lab's machines have what measures: wrk and tcpdump are in labctl's own box."""
    if lab.provider.traits.public_box:
        raise HostError(
            "bench path needs labctl's own box, which has wrk and tcpdump",
            why=f"this lab's machines start from the public box {lab.box.name}",
            next_step="labctl init --provider lxc",
        )


@contextmanager
def both_layouts(lab: Lab, connections: Connections) -> Iterator[None]:
    """Add the traditional layout; at the end, remove what was added, whatever happens.

    Raises LabctlError if a part cannot be added or removed.
    """
    _remove(lab, connections)
    try:
        _add(lab, connections)
        yield
    finally:
        _remove(lab, connections)


def _add(lab: Lab, connections: Connections) -> None:
    architecture = _do(connections, lab.ingress.name, "dpkg --print-architecture").strip()
    archive = gzip.compress(_image_archive(architecture, _layer(lab, connections)), compresslevel=1)
    for worker in lab.workers:
        _do(connections, worker.name, "gzip -dc | ctr --namespace k8s.io images import -", archive)
    # Inside the cluster, the API has the first address of the Service network.
    objects = _render(
        "objects.yaml.j2",
        namespace=NAMESPACE,
        image=IMAGE,
        api_address=lab.network.service_cidr[1],
        stand_in=lab.source is Source.DEBIAN,
    )
    controlplane = lab.controlplane.name
    _do(connections, controlplane, f"{_ADMIN} apply --filename -", objects.encode())
    _do(connections, controlplane, f"{_ADMIN} -n {NAMESPACE} rollout status deployment/haproxy-ingress --timeout=150s")
    found = json.loads(_do(connections, controlplane, f"{_ADMIN} -n {NAMESPACE} get service haproxy-ingress -o json"))
    node_port = int(found["spec"]["ports"][0]["nodePort"])
    config = _render(
        "balancer.cfg.j2", address=lab.ingress.address, port=PORT, workers=lab.workers, node_port=node_port
    )
    start = (
        f"mkdir -p {_FOLDER} && cat >{_FOLDER}/haproxy.cfg && haproxy -c -q -f {_FOLDER}/haproxy.cfg && "
        f"systemd-run --quiet --collect --unit={_UNIT} --property=RuntimeMaxSec={_MAX_SECONDS} "
        f"--property=DynamicUser=yes --property=LimitNOFILE=65536 haproxy -W -db -f {_FOLDER}/haproxy.cfg"
    )
    _do(connections, lab.ingress.name, start, config.encode())
    wait = (
        f"for _ in $(seq 100); do curl -sf -o /dev/null --max-time 1 -H {shlex.quote('Host: ' + lab.app.host)} "
        f"http://{lab.ingress.address}:{PORT}/ && exit 0; sleep 0.2; done; exit 1"
    )
    _do(connections, controlplane, wait)


def _remove(lab: Lab, connections: Connections) -> None:
    """Remove what _add added, or whatever part of it exists. Tries everything, also after an error."""
    delete = f"{_ADMIN} delete --ignore-not-found --timeout=150s namespace/{NAMESPACE} clusterrolebinding/{NAMESPACE}"
    with ExitStack() as removals:  # runs all callbacks, in reverse order, and raises the last error
        for worker in lab.workers:
            command = f"ctr --namespace k8s.io images rm {IMAGE} >/dev/null 2>&1 || true"
            removals.callback(_do, connections, worker.name, command)
        removals.callback(_do, connections, lab.controlplane.name, delete)
        removals.callback(_do, connections, lab.ingress.name, f"systemctl stop {_UNIT} 2>/dev/null; rm -rf {_FOLDER}")


def _do(connections: Connections, machine: str, command: str, stdin: bytes = b"") -> str:
    done = connections.to(machine).run(command, deadline=_DEADLINE, stdin=stdin)
    if not done.ok:
        raise LabctlError(
            "the traditional layout cannot be set up or removed",
            where=machine,
            why=(done.stderr.strip() or done.stdout.strip() or f"exit status {done.status}: {command}")[-500:],
            next_step="labctl verify",
        )
    return done.stdout


def _layer(lab: Lab, connections: Connections) -> bytes:
    """What the pod's image has. The stand-in runs from the node's /usr, so there are only the folders and links of
    Debian's root. The real controller and its HAProxy are those of ingress, with the libraries that HAProxy needs.
    """
    if lab.source is Source.UPSTREAM:
        return gzip.decompress(base64.b64decode(_do(connections, lab.ingress.name, _PACK_PROGRAMS)))
    entries = [Entry(name, link=f"usr/{name}") for name in ("bin", "sbin", "lib", "lib64")]
    entries += [Entry(name) for name in ("usr", "etc/ssl/certs", "run", "tmp", "var/lib/labctl")]
    return layer_tar(entries)


def _image_archive(architecture: str, layer: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "image.tar")
        write_archive(archive, image(IMAGE, architecture, layer))
        return archive.read_bytes()


def _render(name: str, **values: object) -> str:
    source = resources.files("labctl.bench.path").joinpath(name).read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701 - neither file is HTML; every value is a name or an address of labctl's own
    return environment.from_string(source).render(values)
