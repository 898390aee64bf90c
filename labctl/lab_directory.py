"""Where everything of a lab lies: labctl.yaml is the user's, ``.labctl/`` is labctl's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labctl.errors import HostError


@dataclass(frozen=True, slots=True)
class LabDirectory:
    """The paths of one lab. base: the folder that holds labctl.yaml, absolute. own: labctl's folder, if not in base."""

    base: Path
    own: Path | None = None

    @property
    def config(self) -> Path:
        """The user's labctl.yaml; it need not exist."""
        return self.base / "labctl.yaml"

    @property
    def pins(self) -> Path:
        """The SHA-256 of what was fetched: from then on nothing else is taken. It goes with labctl.yaml."""
        return self.base / "labctl.lock"

    @property
    def folder(self) -> Path:
        """Everything that labctl writes."""
        return self.own or self.base / ".labctl"

    @property
    def vagrantfile(self) -> Path:
        """The rendered Vagrantfile."""
        return self.folder / "Vagrantfile"

    @property
    def vagrant_home(self) -> Path:
        """Vagrant's own data (boxes, index of machines), kept with the lab so that it goes with the lab."""
        return self.folder / "vagrant"

    @property
    def vagrant_notes(self) -> Path:
        """What Vagrant notes about each machine."""
        return self.folder / ".vagrant"

    @property
    def machines(self) -> Path:
        """A folder per machine, as it is copied there."""
        return self.folder / "machines"

    @property
    def secrets(self) -> Path:
        """Keys, certificates, tokens (0700); see labctl/secrets/store.py for what is in it."""
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
        """Held by the labctl that is at work on this lab."""
        return self.folder / "lock"

    @property
    def choices(self) -> Path:
        """What ``up`` was told or found out (provider, source, workers): it holds until the lab is destroyed."""
        return self.folder / "choices.json"

    @property
    def last_verify(self) -> Path:
        """What verify found when it was last run."""
        return self.folder / "last" / "verify.json"

    @property
    def last_tour(self) -> Path:
        """What the last tour showed."""
        return self.folder / "last" / "tour.json"

    @property
    def bench(self) -> Path:
        """A folder per lab that ``labctl bench`` brings up beside this one, each with a labctl.yaml of its own."""
        return self.folder / "bench"

    def beside(self) -> list[LabDirectory]:
        """The directories of those labs: there is one only while it is measured, or after a measurement was killed."""
        if self.bench.is_symlink() or not self.bench.is_dir():
            return []
        return [LabDirectory(folder.resolve()) for folder in sorted(self.bench.iterdir()) if folder.is_dir()]

    def is_lab(self) -> bool:
        """Whether there is a lab here. Raises HostError if it is one that this user may not use."""
        try:
            return self.ssh_key.is_file()
        except PermissionError as error:
            raise HostError(
                f"the lab in {self.base} is another user's",
                why=f"{error.filename} may be read by its owner only",
                next_step="run the same command as that user, or as root; to give the lab to somebody: "
                f"chown -R USER: {self.base}",
            ) from error

    def require(self) -> None:
        """Raise HostError unless there is a lab here, and this user may use it."""
        if not self.is_lab():
            raise HostError(f"there is no lab in {self.base}", next_step="labctl up")
