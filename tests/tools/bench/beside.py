"""A lab of a measurement's own, beside the user's: with the same settings, but another name and other networks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network

from ruamel.yaml import YAML

from labctl.errors import HostError
from labctl.host.files import write_atomically
from labctl.host.host import Host
from labctl.host.networks import host_routes
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.load import load_lab
from tools.bench.run import Timed, must, own_environment, own_labctl, timed

UP_SECONDS = 1200.0
_DESTROY_SECONDS = 300.0
_LONGEST_NAME = 40
_MOST_TRIES = 256


class BesideLab:
    """A lab of its own, in a folder below the user's .labctl; brought up and destroyed by labctl's own command line."""

    def __init__(self, lab: Lab, files: LabDirectory, word: str, *, workers: int | None = None) -> None:
        """word: what it is for; it goes into the lab's name. workers: how many, if not as many as the user's lab has.

        Raises HostError if no network is free.
        """
        self.folder = files.bench / word
        text = settings(files.config.read_text() if files.config.exists() else "", lab, word, workers, Host())
        write_atomically(self.folder / "labctl.yaml", text.encode())
        self.lab = load_lab(self.folder)
        self.files = LabDirectory(self.folder.resolve())

    def labctl(self, *words: str, deadline: float = UP_SECONDS) -> Timed:
        """Run labctl on it. Raises LabctlError if that fails."""
        done = timed(own_labctl(self.folder, *words), deadline=deadline, environment=own_environment())
        return must(done, f"labctl {' '.join(words)}")

    def destroy(self) -> None:
        """Destroy it, whatever state it is in. Raises LabctlError if something of it is left."""
        self.labctl("destroy", "--yes", deadline=_DESTROY_SECONDS)


@contextmanager
def beside(lab: Lab, files: LabDirectory, word: str, *, workers: int | None = None) -> Iterator[BesideLab]:
    """A lab beside the user's; nothing of it is up yet, and nothing of it is left afterwards, whatever happens."""
    own = BesideLab(lab, files, word, workers=workers)
    own.destroy()  # what an aborted measurement left
    try:
        yield own
    finally:
        own.destroy()
        (own.folder / "labctl.yaml").unlink()
        own.folder.rmdir()


def settings(text: str, lab: Lab, word: str, workers: int | None, host: Host) -> str:
    """The user's labctl.yaml with another name, free networks, and as many workers as are wanted.

    Raises HostError if no network is free.
    """
    yaml = YAML()
    document = yaml.load(text) or {}
    network = document.setdefault("network", {}) or {}
    taken = [route.network for route in host_routes(host)] + [lab.network.subnet, lab.network.service_cidr]
    subnet = free_network(lab.network.subnet, taken)
    network["subnet"] = str(subnet)
    network["service_cidr"] = str(free_network(lab.network.service_cidr, [*taken, lab.network.pod_cidr, subnet]))
    document["network"] = network
    if lab.vip:
        place = int(lab.vip.address) - int(lab.network.subnet.network_address)
        document["ingress"]["vip"] = str(subnet[place])
    document["name"] = f"{lab.name[: _LONGEST_NAME - len(word) - 1]}-{word}"
    document["provider"], document["source"] = lab.provider.value, lab.source.value
    document["workers"] = len(lab.workers) if workers is None else workers
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def free_network(like: IPv4Network, taken: list[IPv4Network]) -> IPv4Network:
    """The next network of that size after it that overlaps none of those. Raises HostError if there is none near."""
    size = like.num_addresses
    for step in range(1, _MOST_TRIES):
        number = int(like.network_address) + step * size
        if number + size > 2**32:
            break
        found = IPv4Network((number, like.prefixlen))
        if found.is_private and not any(found.overlaps(other) for other in taken):
            return found
    raise HostError(f"no network like {like} is free for a lab beside this one", next_step="labctl destroy")
