"""The values that the templates may use: the lab, one machine of it, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labctl.model.calico import AGGREGATED
from labctl.model.lab import Internet, Lab, Machine, Role, Source
from labctl.sources.kubernetes import KubernetesFacts, kubernetes_facts
from labctl.sources.releases import minor
from labctl.sources.upstream import DISTRIBUTION_PACKAGES, Kind, cached_box, calico_images, upstream_named
from labctl.steps.catalogue import MACHINES
from labctl.steps.plan import make_plan

# The box keeps its images here (labctl/box/images.py).
_IMAGES = "/opt/labctl/images"
# What keys.sh says when a virtual machine has the lab's keys: from then on labctl can reach it.
READY_MARK = "labctl: the lab's keys are in place"
# How downloads are made. patience, pause, deadline: seconds. slowest: bytes/s, below which one counts as stuck.
FETCH = {"attempts": 5, "patience": 20, "pause": 2, "slowest": 1000, "deadline": 900}


def lab_values(lab: Lab, *, box_file: Path | None) -> dict[str, object]:
    """Values for files that concern the whole lab. box_file: the box that labctl built, if this lab uses one."""
    plan = make_plan(lab)
    return {
        "lab": lab,
        "source": lab.source.value,
        "controlplane": lab.controlplane,
        "container_prefix": container_prefix(lab),
        "ssh_user": lab.provider.traits.ssh_user,
        "box": vagrant_box(lab, box_file),
        "ready_mark": READY_MARK,
        "steps": {
            machine.name: [task.name.step for task in plan.for_machine(machine.name) if task.name.step != MACHINES]
            for machine in lab.machines
        },
    }


def machine_values(lab: Lab, machine: Machine, *, join_hash: str, internet: Internet) -> dict[str, object]:
    """Values for the scripts and files of one machine."""
    facts = kubernetes_facts(lab)
    values = lab_values(lab, box_file=None)
    steps = values["steps"]
    assert isinstance(steps, dict)
    return {
        **values,
        "machine": machine,
        "machine_steps": steps[machine.name],
        "join_hash": join_hash,
        "worker_names": [worker.name for worker in lab.workers],
        "worker_nodes": [f"node/{worker.name}" for worker in lab.workers],
        "kubernetes_version": facts.version,
        "kubeadm_api": facts.kubeadm_api,
        "pause_image": facts.pause_image,
        "cri_socket": facts.cri_socket,
        "cgroup_driver": facts.cgroup_driver,
        "skipped_phases": facts.skipped_phases,
        "node_images": _node_images(lab, machine, facts),
        "aggregated": lab.calico_api == AGGREGATED,
        **_vrrp(lab, machine),
        **_upstream_values(lab, internet),
    }


def _upstream_values(lab: Lab, internet: Internet) -> dict[str, object]:
    """Where the software comes from and how it is fetched, for labs of the source upstream."""
    if lab.source is not Source.UPSTREAM:
        return {}
    sources = upstream_named(lab)
    return {
        "sources": sources,
        "registries": [source for source in sources.values() if source.kind is Kind.IMAGES],
        "distribution_packages": DISTRIBUTION_PACKAGES,
        "calico_images": calico_images(lab),
        "internet": internet,
        "fetch": FETCH,
        "kubernetes_minor": minor(lab.versions.kubernetes),
        "haproxy_minor": minor(lab.versions.haproxy),
    }


@dataclass(frozen=True, slots=True)
class VagrantBox:
    """What Vagrant is told of the lab's box. url: a file, or a catalogue; without one Vagrant asks its own."""

    name: str
    version: str
    url: str


def vagrant_box(lab: Lab, box_file: Path | None) -> VagrantBox:
    """The box that labctl built, that of the cache where nothing else may be asked, or a public one.

    What comes from a file has no version for Vagrant, so its name tells which one it is: libvirt keeps a box's disk
    under the box's name, and would take that of an older box of the same name.
    """
    box, mirrors = lab.box, lab.mirrors
    if box_file is not None:
        name = f"{box.name}-{box_file.parent.name}" if lab.provider.traits.disk_format else box.name
        return VagrantBox(name, box.version, f"file://{box_file}")
    if mirrors.offline and lab.provider.traits.public_box:
        where = f"file://{mirrors.folder}" if mirrors.folder else mirrors.cache
        return VagrantBox(f"{box.name}-{box.version}", "", f"{where}/{cached_box(lab)}")
    mirror = dict(mirrors.single).get("boxes")
    return VagrantBox(box.name, box.version, f"{mirror}/{box.name}" if mirror and box.version else "")


# The priority of the first ingress machine (VRRP: 1 to 254, the higher one wins); the second one's is one less.
_PRIORITY = 150


def _vrrp(lab: Lab, machine: Machine) -> dict[str, object]:
    """What Keepalived is told where two machines share an address.

    router_id tells groups on one network apart; a lab's network has one group, named by its address's last number.
    """
    if lab.vip is None or machine.role is not Role.INGRESS:
        return {}
    router_id = int(lab.vip.address) % 256 or 255
    return {"priority": _PRIORITY - lab.ingresses.index(machine), "router_id": router_id}


def container_prefix(lab: Lab) -> str:
    """What the names of the lab's machines on this host begin with; the machine's own name follows."""
    return f"labctl-{lab.name}-"


def _node_images(lab: Lab, machine: Machine, facts: KubernetesFacts) -> list[tuple[str, str]]:
    """The images that a node needs, each with the archive in the box that has it."""
    if lab.source is not Source.DEBIAN or not machine.is_node:
        return []
    programs = ["kube-proxy"]
    if machine.role is Role.CONTROLPLANE:
        programs += ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    images = [(f"{facts.image_registry}/{name}:v{facts.version}", f"{_IMAGES}/{name}.tar") for name in programs]
    images.append((facts.pause_image, f"{_IMAGES}/pause.tar"))
    if machine.role is Role.WORKER:
        images.append(("docker.io/jmalloc/echo-server:latest", f"{_IMAGES}/echo-server.tar"))
    return images
