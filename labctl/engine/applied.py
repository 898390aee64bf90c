"""labctl.yaml as `up` last carried it out: saved in .labctl, so that a renamed lab is found, and changes are seen.

`up` applies the changes that an existing lab can take, and refuses the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from labctl.config import Overrides, load_config, parse
from labctl.config.build import build
from labctl.config.loader import MAX_BYTES
from labctl.config.overrides import read_choices
from labctl.config.schema import Config
from labctl.errors import ConfigError, LabctlError
from labctl.host.files import write_atomically
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Provider
from labctl.sources.releases import minor


@dataclass(frozen=True, slots=True)
class Change:
    """A key of labctl.yaml whose value differs from the one that the lab was last brought up with."""

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.key}: {self.before} → {self.after}"


def remember(files: LabDirectory) -> None:
    """Save labctl.yaml as it is now; `up` saves the choices beside it. Raises OSError if it cannot be written."""
    content = files.config.read_bytes() if files.config.is_file() else b""
    write_atomically(_file(files), _head(content) + content)


def applied_lab(files: LabDirectory) -> Lab | None:
    """The lab that `up` last worked on; None if there was none, or the file is missing or damaged."""
    content = applied_text(files)
    if content is None:
        return None
    try:
        choices = read_choices(files.choices)
        config = parse(content, overrides=choices, where=str(_file(files)))
        return build(config, Provider(choices.provider or config.provider))
    except (LabctlError, ValueError):
        return None


def applied_text(files: LabDirectory) -> bytes | None:
    """The labctl.yaml that `up` last worked from, empty if there was none; None if that is not known."""
    path = _file(files)
    try:
        if path.is_symlink() or path.stat().st_size > MAX_BYTES + len(_head(b"")):
            return None
        head, end, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return content if head + end == _head(content) else None  # half of a file would describe another lab


def _head(content: bytes) -> bytes:
    """The line before the content, which shows whether the content is damaged."""
    return b"# labctl.yaml as `labctl up` last carried it out; SHA-256 " + sha256(content).hexdigest().encode() + b"\n"


def _file(files: LabDirectory) -> Path:
    return files.folder / "applied.yaml"


def require_same_lab(files: LabDirectory, overrides: Overrides) -> None:
    """Raise ConfigError, naming every key, if labctl.yaml or the command line wants what an existing lab cannot become.

    Addresses are in certificates, in the API's objects and in every machine: another network is another lab.
    """
    lab = applied_lab(files)
    if lab is None:
        return
    refused = list(_refused(lab, load_config(files.base), overrides))
    if refused:
        raise ConfigError(
            f"the lab {lab.name} exists, and these keys cannot be changed in it",
            problems=[f"{change.key}: {change.after}; the lab was created with {change.before}" for change in refused],
            where=str(files.config),
            next_step="\n".join(["restore the old values; or labctl destroy, then labctl up", *_upgrade(refused)]),
        )


def _upgrade(refused: list[Change]) -> Iterator[str]:
    """How Kubernetes itself gets from one minor to another: a step at a time (kubernetes.io, "Version Skew Policy")."""
    change = next((change for change in refused if change.key == "versions.kubernetes"), None)
    if change is None or minor(change.before) == minor(change.after):
        return
    major, number = minor(change.before).split(".")
    guide = "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/"
    yield (
        f"Kubernetes goes up one minor at a time, here to {major}.{int(number) + 1}, by `kubeadm upgrade` on each node "
        f"({guide}); labctl does not do it"
    )


def applied_changes(before: Lab, after: Lab) -> list[Change]:
    """What `up` applies: the keys that differ, in the order of labctl.yaml."""
    old, new = _applied_values(before), _applied_values(after)
    return [Change(key, old[key], new[key]) for key in old if old[key] != new[key]]


def _applied_values(lab: Lab) -> dict[str, str]:
    vip, bgp = lab.vip, lab.bgp
    values = {
        "workers": len(lab.workers),
        "ingress.count": len(lab.ingresses),
        "ingress.vip": vip.address if vip else None,
        "ingress.advert_interval": vip.advert_interval if vip else None,
        "router": lab.router is not None,
        "network.as_number": lab.network.as_number,
        "network.ingress_as_number": lab.network.ingress_as_number,
        "network.encapsulation": lab.network.encapsulation.value,
        "bgp.hold_time": bgp.hold_time,
        "bgp.bfd": bgp.bfd,
        "bgp.next_hop": "keep" if bgp.keep_next_hop else "auto",
        "bgp.mesh": bgp.mesh.value,
        "bgp.password": bgp.password,
        "app.host": lab.app.host,
        "app.replicas": lab.app.replicas,
        "app.image": lab.app.image,
    }
    return {key: _as_written(value) for key, value in values.items()}


def _as_written(value: object) -> str:
    """A value as labctl.yaml has it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def machines_to_remove(before: Lab, after: Lab) -> list[str]:
    """The machines that the lab had and that labctl.yaml no longer lists."""
    wanted = {machine.name for machine in after.machines}
    return [machine.name for machine in before.machines if machine.name not in wanted]


def _refused(lab: Lab, config: Config, overrides: Overrides) -> Iterator[Change]:
    network = config.network
    provider, source = overrides.provider or config.provider, overrides.source or config.source
    values = {
        "name": (lab.name, config.name),
        "provider": (lab.provider.value, provider if provider != "auto" else lab.provider.value),
        "source": (lab.source.value, source if source != "auto" else lab.source.value),
        "network.pod_cidr": (lab.network.pod_cidr, network.pod_cidr),
        "network.service_cidr": (lab.network.service_cidr, network.service_cidr),
        "network.block_size": (lab.network.block_size, network.block_size),
    }
    if "subnet" in network.model_fields_set:  # else `up` may have chosen one itself, and goes on with it
        values["network.subnet"] = (lab.network.subnet, network.subnet)
    for name in ("kubernetes", "calico", "controller", "haproxy"):
        old, wanted = getattr(lab.versions, name), getattr(config.versions, name)
        same = not wanted or f"{old}.".startswith(f"{wanted}.")  # 3.32 in labctl.yaml is the lab's 3.32.1
        values[f"versions.{name}"] = (old, old if same else wanted)
    values["box.name"] = (lab.box.name, config.box.name or lab.box.name)
    for key, (old, new) in values.items():
        if str(old) != str(new):
            yield Change(key, str(old), str(new))
