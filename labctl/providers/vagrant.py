"""Vagrant, through python-vagrant: boot, halt, destroy, state; and what it recorded about each machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import vagrant

from labctl.errors import HostError, LabctlError
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.log import lab_log, logged
from labctl.model.lab import Lab
from labctl.providers.known_errors import KnownError, find_known_error
from labctl.providers.processes import MARK
from labctl.providers.provider import OnLine
from labctl.providers.vagrant_deadline import TIMED_OUT, with_deadline
from labctl.text import read_json

_LAST_LINES = 12
# What `vagrant plugin install` writes: the list, and the plugins (Vagrant 2.3.4, lib/vagrant/plugin/manager.rb).
_PLUGINS = ("plugins.json", "gems")
# Vagrant 2.3.4, templates/locales/en.yml, machine_action_locked.
_BUSY = "another process is already executing an action"
_BUSY_SECONDS = 60.0
_WRITTEN_OVER = re.compile(r"\r|\x1b\[K")
_LOG_BYTES = 1_000_000
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class _Tool(vagrant.Vagrant):
    """python-vagrant with a deadline, which it lacks. deadline: seconds that one call of Vagrant may take."""

    program = "vagrant"
    deadline = 600
    platform = "linux"

    def _make_vagrant_command(self, args: Sequence[str | None]) -> list[str]:
        """The command, ended with all that it started when its time is over; it exits with 124 then."""
        command = [self.program, *(word for word in args if word is not None)]
        return with_deadline(command, self.deadline, platform=self.platform)

    def command(self, *words: str) -> None:
        """A command with options that python-vagrant does not have."""
        self._call_vagrant_command(words)  # type: ignore[no-untyped-call]

    def printed(self, *words: str) -> str:
        """What a command prints. python-vagrant's own snapshot_list is empty as soon as one machine has none."""
        return str(self._run_vagrant_command(words))  # type: ignore[no-untyped-call]


class Vagrant:
    """Vagrant at work on the machines of one lab. Every call runs it once, in the lab's ``.labctl/``.

    errors: the known errors of the provider. deadlines: seconds for each of up, halt, destroy and status.
    """

    def __init__(
        self,
        lab: Lab,
        files: LabDirectory,
        host: Host,
        *,
        errors: Collection[KnownError],
        deadlines: Mapping[str, int],
    ) -> None:
        self._lab = lab
        self._files = files
        self._host = host
        self._errors = errors
        self._deadlines = deadlines
        self._output = files.logs / "vagrant.log"
        self._log = lab_log()

    def up(self, names: Collection[str], on_line: OnLine, *, provision_with: Sequence[str] = ()) -> None:
        """``vagrant up`` for the named machines, without the lab's steps. Raises LabctlError with Vagrant's last lines.

        provision_with: the provisioners of the Vagrantfile that run.
        """

        def run(tool: Any) -> None:
            lines = tool.up(
                vm_name=self._pattern(names),
                no_provision=not provision_with,
                provision_with=provision_with or None,
                provider=self._lab.provider.value,
                stream_output=True,
            )
            for line in lines:
                on_line(_as_shown(line))

        self._run("up", run)

    def halt(self) -> None:
        """Stop all machines. Raises LabctlError with Vagrant's last lines."""
        self._run("halt", lambda tool: tool.halt())

    def power_off(self, names: Collection[str]) -> None:
        """Switch the named machines off, without asking them first. Raises LabctlError with Vagrant's last lines."""
        self._run("halt", lambda tool: tool.halt(vm_name=self._pattern(names), force=True))

    def destroy(self, names: Collection[str] = ()) -> None:
        """Destroy the named machines, or all that Vagrant knows of. Raises LabctlError with Vagrant's last lines."""
        self._run("destroy", lambda tool: tool.destroy(vm_name=self._pattern(names) if names else None))

    def snapshots(self) -> dict[str, frozenset[str]]:
        """The names of each machine's snapshots. Raises LabctlError, also if the provider has no snapshots."""
        with self._vagrant("snapshot") as tool:
            return _snapshots_in(tool.printed("snapshot", "list"))

    def save_snapshot(self, name: str) -> None:
        """``vagrant snapshot save`` of all machines. Raises LabctlError with Vagrant's last lines."""
        self._run("snapshot", lambda tool: tool.snapshot_save(name))

    def restore_snapshot(self, name: str) -> None:
        """``vagrant snapshot restore`` of all machines, which run then. Raises LabctlError as the others."""
        self._run("snapshot", lambda tool: tool.command("snapshot", "restore", "--no-provision", name))

    def delete_snapshot(self, machine: str, name: str) -> None:
        """``vagrant snapshot delete`` of one machine. Raises LabctlError with Vagrant's last lines."""
        self._run("snapshot", lambda tool: tool.command("snapshot", "delete", machine, name))

    def created(self) -> frozenset[str]:
        """The machines that Vagrant has created for the lab, whether or not the lab still lists them."""
        return frozenset(file.parent.parent.name for file in self._notes("id"))

    def booted(self) -> frozenset[str]:
        """Those whose first boot Vagrant completed, with network and keys."""
        return frozenset(file.parent.parent.name for file in self._notes("action_provision"))

    def id_file(self, machine: str) -> Path:
        """Where Vagrant records the provider's id of the machine (Vagrant 2.3.4, lib/vagrant/machine.rb, id=)."""
        return self._files.vagrant_notes / "machines" / machine / self._lab.provider.value / "id"

    def noted_id(self, machine: str) -> str:
        """The id that Vagrant recorded; empty if there is none, or it is damaged."""
        try:
            return self.id_file(machine).read_text().strip()
        except (OSError, ValueError):
            return ""

    def forget(self, machines: Collection[str]) -> None:
        """Remove Vagrant's records of machines that are gone."""
        for machine in machines:
            shutil.rmtree(self._files.vagrant_notes / "machines" / machine, ignore_errors=True)

    def _notes(self, name: str) -> Iterator[Path]:
        """Vagrant's notes of that name, one per machine (Vagrant 2.3.4, lib/vagrant/machine.rb, data_dir)."""
        return (self._files.vagrant_notes / "machines").glob(f"*/{self._lab.provider.value}/{name}")

    def states(self) -> dict[str, str]:
        """Each machine's state, in the provider's words."""
        with self._vagrant("status") as tool:
            return {status.name: status.state for status in tool.status()}

    def _run(self, what: str, run: Callable[[Any], None]) -> None:
        """Run Vagrant. If a Vagrant of a killed labctl still works on a machine, wait until it ends."""
        until = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                with self._vagrant(what) as tool:
                    run(tool)
                return
            except LabctlError as error:
                if _BUSY not in " ".join(error.why.split()) or time.monotonic() > until:
                    raise
            time.sleep(1)

    def _pattern(self, names: Collection[str]) -> str | None:
        """The argument that names several machines at once: a pattern between slashes; None means all."""
        if set(names) == {machine.name for machine in self._lab.machines}:
            return None
        return "/^(" + "|".join(re.escape(name) for name in sorted(names)) + ")$/"

    @contextmanager
    def _vagrant(self, what: str) -> Iterator[Any]:
        """A python-vagrant object whose output goes to the log; its failures become LabctlError."""
        program = self._host.find("vagrant")
        if program is None:
            raise HostError("Vagrant is not installed", next_step="apt install vagrant vagrant-lxc")
        self._output.parent.mkdir(parents=True, exist_ok=True)
        self._rotate_log()
        self._drop_damaged_index()
        environment = vagrant_environment(self._lab, self._files, self._host)
        if environment.get("VAGRANT_HOME") == str(self._files.vagrant_home):
            self._share_plugins()
        begin = self._output.stat().st_size if self._output.exists() else 0
        tool = _Tool(  # type: ignore[no-untyped-call]
            root=str(self._files.folder),
            env=environment,
            out_cm=self._log_stream,
            err_cm=self._log_stream,
        )
        tool.program, tool.deadline, tool.platform = program, self._deadlines[what], self._host.platform
        try:
            with logged("vagrant", what, self._log):
                yield tool
        except subprocess.CalledProcessError as error:
            raise self._failure(what, begin, error.returncode) from error

    def _failure(self, what: str, begin: int, status: int) -> LabctlError:
        """The error that Vagrant's output shows, explained if it is a known one."""
        printed = _printed_since(self._output, begin)
        known = find_known_error(printed, self._errors)
        why = "\n".join(printed.splitlines()[-_LAST_LINES:]) or f"exit status {status}"
        if status == TIMED_OUT:
            why = f"it did not end within {self._deadlines[what]} s; the last that it printed:\n{why}"
        return LabctlError(
            f"vagrant {what} failed" + (f": {known.meaning} ({known.id})" if known else ""),
            where=str(self._files.folder),
            why=why,
            next_step=known.remedy if known else f"labctl {what}",
        )

    def _drop_damaged_index(self) -> None:
        """Vagrant does nothing if its index of machines is damaged, and creates a missing one.

        Only the lab's own is removed: the one in the user's Vagrant home lists other machines, too.
        """
        index = self._files.vagrant_home / "data" / "machine-index" / "index"
        try:
            text = index.read_bytes()
            if text and not isinstance(read_json(text), dict):
                index.unlink()
        except ValueError:
            index.unlink()
        except OSError:
            return

    def _share_plugins(self) -> None:
        """Vagrant looks for plugins in its home: the lab's own home gets links to those that the user installed."""
        self._files.vagrant_home.mkdir(exist_ok=True)
        for name in _PLUGINS:
            installed, link = user_vagrant_home(self._host) / name, self._files.vagrant_home / name
            if installed.exists() and not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(installed.absolute())

    def _rotate_log(self) -> None:
        """Keep the log below a megabyte or so, with the one before."""
        with suppress(OSError):
            if self._output.stat().st_size > _LOG_BYTES:
                self._output.replace(self._output.with_name("vagrant.log.1"))

    @contextmanager
    def _log_stream(self) -> Iterator[IO[bytes]]:
        with self._output.open("ab") as stream:
            yield stream


def _snapshots_in(printed: str) -> dict[str, frozenset[str]]:
    """What ``vagrant snapshot list`` prints: a line ``==> MACHINE: `` before each machine's names, one a line.

    A machine without any has a sentence there (Vagrant 2.3.4, plugins/commands/snapshot/command/list.rb).
    """
    found: dict[str, set[str]] = {}
    machine = ""
    for line in printed.splitlines():
        heading = re.fullmatch(r"==> ([^:]+): ?(.*)", line)
        if heading:
            machine = heading[1]
            found.setdefault(machine, set())
        elif machine and line.strip() and not line.strip().startswith(f"{machine}: "):
            found[machine].add(line.strip())
    return {name: frozenset(names) for name, names in found.items()}


def _as_shown(line: str) -> str:
    """A line as a terminal finally shows it, without colours and text that was overwritten ("Progress: 3%")."""
    return _TERMINAL_CODES.sub("", _WRITTEN_OVER.split(line.rstrip())[-1])


def user_vagrant_home(host: Host) -> Path:
    """The folder with the user's own boxes and plugins (Vagrant's documentation, "Environmental Variables")."""
    return Path(host.environment.get("VAGRANT_HOME") or host.home / ".vagrant.d")


def vagrant_environment(lab: Lab, files: LabDirectory, host: Host) -> dict[str, str]:
    """The environment for Vagrant: no look-ups on the internet, and for labctl's own box a home of the lab's own.

    Machines that plain ``vagrant up`` made are known in the user's own Vagrant home, and are looked for there.
    """
    environment = {
        **host.environment,
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
        "VAGRANT_DEFAULT_PROVIDER": lab.provider.value,
        "VAGRANT_NO_COLOR": "1",
        MARK: "1",
    }
    # Without a UTF-8 locale Ruby takes a path for ASCII, and Vagrant ends with a traceback on any other character.
    language = next(filter(None, map(host.environment.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    if host.is_linux and "utf" not in language.lower():
        environment["LC_ALL"] = "C.UTF-8"
    made_by_user = files.vagrant_notes.exists() and not files.vagrant_home.exists()
    if not lab.provider.traits.public_box and not made_by_user:
        environment["VAGRANT_HOME"] = str(files.vagrant_home)
    return environment


def _printed_since(log: Path, begin: int) -> str:
    """What was added to the log after its first ``begin`` bytes, without colours and empty lines."""
    with log.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode("utf-8", "replace")
    return "\n".join(line for line in _TERMINAL_CODES.sub("", text).splitlines() if line.strip())
