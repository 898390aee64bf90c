"""The paths of a lab: labctl.yaml belongs to the user, ``.labctl/`` to labctl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labctl.errors import HostError


@dataclass(frozen=True, slots=True)
class LabDirectory:
    """The paths of one lab. base: the folder with labctl.yaml, absolute. own: labctl's folder, if it is not in base."""

    base: Path
    own: Path | None = None

    @property
    def config(self) -> Path:
        """The user's labctl.yaml. It is optional."""
        return self.base / "labctl.yaml"

    @property
    def pins(self) -> Path:
        """SHA-256 checksums of what was fetched; later downloads must match them. Belongs beside labctl.yaml."""
        return self.base / "labctl.lock"

    @property
    def folder(self) -> Path:
        """The folder for everything that labctl writes."""
        return self.own or self.base / ".labctl"

    @property
    def vagrantfile(self) -> Path:
        """The rendered Vagrantfile."""
        return self.folder / "Vagrantfile"

    @property
    def vagrant_home(self) -> Path:
        """Vagrant's own data (boxes, index of machines). It is part of the lab, so that `destroy` removes it."""
        return self.folder / "vagrant"

    @property
    def vagrant_notes(self) -> Path:
        """Vagrant's records of each machine."""
        return self.folder / ".vagrant"

    @property
    def machines(self) -> Path:
        """A folder per machine, which is copied to it."""
        return self.folder / "machines"

    @property
    def secrets(self) -> Path:
        """Keys, certificates and tokens (0700); labctl/secrets/store.py describes the layout."""
        return self.folder / "secrets"

    @property
    def ssh_key(self) -> Path:
        """The private key that opens the lab's machines."""
        return self.secrets / "ssh" / "lab_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The machines' host keys."""
        return self.secrets / "ssh" / "known_hosts"

    @property
    def admin_kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.secrets / "admin.kubeconfig"

    @property
    def logs(self) -> Path:
        """What each step printed: ``<machine>/<step>.log``."""
        return self.folder / "logs"

    @property
    def log(self) -> Path:
        """labctl's own log."""
        return self.folder / "labctl.log"

    @property
    def lock(self) -> Path:
        """The lock that a labctl holds while it works on this lab."""
        return self.folder / "lock"

    @property
    def choices(self) -> Path:
        """The choices of ``up`` (provider, source, workers), from options or from this host; valid until `destroy`."""
        return self.folder / "choices.json"

    @property
    def last_verify(self) -> Path:
        """The result of the last verify."""
        return self.folder / "last" / "verify.json"

    @property
    def last_tour(self) -> Path:
        """The result of the last tour."""
        return self.folder / "last" / "tour.json"

    @property
    def bench(self) -> Path:
        """A folder per lab that a measurement brings up beside this one, each with its own labctl.yaml."""
        return self.folder / "bench"

    def beside(self) -> list[LabDirectory]:
        """The directories of these labs. They exist only during a measurement, or after one was killed."""
        if self.bench.is_symlink() or not self.bench.is_dir():
            return []
        return [LabDirectory(folder.resolve()) for folder in sorted(self.bench.iterdir()) if folder.is_dir()]

    def is_lab(self) -> bool:
        """Whether there is a lab here. Raises HostError if this user may not use it."""
        try:
            return self.ssh_key.is_file()
        except PermissionError as error:
            raise HostError(
                f"the lab in {self.base} belongs to another user",
                why=f"only its owner may read {error.filename}",
                next_step="run the same command as that user, or as root; to give the lab to another user: "
                f"chown -R USER: {self.base}",
            ) from error

    def require(self) -> None:
        """Raise HostError unless there is a lab here that this user may use."""
        if not self.is_lab():
            raise HostError(f"there is no lab in {self.base}", next_step="labctl up")
