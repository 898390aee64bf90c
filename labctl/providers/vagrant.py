"""Vagrant, by way of python-vagrant: boot, halt, destroy, validate, state."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import vagrant

from labctl.errors import HostError, LabctlError
from labctl.json_text import read_json
from labctl.lab_directory import LabDirectory
from labctl.log import lab_log, logged
from labctl.model.lab import Lab, Provider
from labctl.providers.known_errors import find_known_error
from labctl.providers.processes import MARK
from labctl.providers.vagrant_deadline import TIMED_OUT, with_deadline
from labctl.ssh.output import LineHandler

_LAST_LINES = 12
# Vagrant 2.3.4, templates/locales/en.yml, machine_action_locked.
_BUSY = "another process is already executing an action"
_BUSY_SECONDS = 60.0
# The provisioners in Vagrantfile.j2 that give a virtual machine its host key and the lab's public key.
_KEYS = ("copy-keys", "keys")
_WRITTEN_OVER = re.compile(r"\r|\x1b\[K")
# Seconds per call. Virtual machines may have to download their box first.
_DEADLINES = {"up": 900, "halt": 300, "destroy": 300, "status": 60, "validate": 60}
_DEADLINES_OF_VMS = {"up": 5400, "halt": 900, "destroy": 900, "status": 120, "validate": 120}
_LOG_BYTES = 1_000_000
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class _Tool(vagrant.Vagrant):
    """python-vagrant with a deadline: it has none of its own. deadline: seconds that one call of Vagrant may take."""

    deadline = 600

    def _make_vagrant_command(self, args: list[str | None]) -> list[str]:
        """The command, ended with all that it started when its time is over; it exits with 124 then."""
        command: list[str] = super()._make_vagrant_command(args)  # type: ignore[no-untyped-call]
        return with_deadline(command, self.deadline, platform=sys.platform)


class VagrantMachines:
    """The machines of one lab, as Vagrant sees them. Every call runs Vagrant once, in the lab's ``.labctl/``."""

    def __init__(self, lab: Lab, files: LabDirectory) -> None:
        self._lab = lab
        self._files = files
        self._said = files.logs / "vagrant.log"
        self._log = lab_log()

    def boot(self, names: Sequence[str], on_line: LineHandler) -> None:
        """``vagrant up`` for the named machines, without the lab's steps. Raises LabctlError with Vagrant's last lines.

        Virtual machines get their keys from Vagrant; a container is made with them.
        """
        container = self._lab.provider is Provider.LXC

        def run(tool: Any) -> None:
            lines = tool.up(
                vm_name=self._pattern(names),
                no_provision=container,
                provision_with=None if container else _KEYS,
                provider=self._lab.provider.value,
                stream_output=True,
            )
            for line in lines:
                on_line(_last_said(line))

        self._patiently("up", run)

    def halt(self) -> None:
        """Stop all machines. Raises LabctlError with Vagrant's last lines."""
        self._patiently("halt", lambda tool: tool.halt())

    def power_off(self, names: Sequence[str]) -> None:
        """Switch the named machines off, without asking them first. Raises LabctlError with Vagrant's last lines."""
        self._patiently("halt", lambda tool: tool.halt(vm_name=self._pattern(names), force=True))

    def destroy(self, names: Sequence[str] = ()) -> None:
        """Destroy the named machines, or all that Vagrant knows of. Raises LabctlError with Vagrant's last lines."""
        self._patiently("destroy", lambda tool: tool.destroy(vm_name=self._pattern(names) if names else None))

    def made(self) -> frozenset[str]:
        """The machines that Vagrant has made for the lab, whether or not the lab still lists them."""
        return frozenset(file.parent.parent.name for file in self._notes("id"))

    def booted(self) -> frozenset[str]:
        """Those whose first boot Vagrant brought to its end: network, keys and all."""
        return frozenset(file.parent.parent.name for file in self._notes("action_provision"))

    def _notes(self, name: str) -> Iterator[Path]:
        """Vagrant's notes of that name, one per machine (Vagrant 2.3.4, lib/vagrant/machine.rb, data_dir)."""
        return (self._files.folder / ".vagrant/machines").glob(f"*/{self._lab.provider.value}/{name}")

    def states(self) -> dict[str, str]:
        """Each machine's state, in the provider's words."""
        with self._vagrant("status") as tool:
            return {status.name: status.state for status in tool.status()}

    def _patiently(self, what: str, run: Callable[[Any], None]) -> None:
        """Run Vagrant; where a Vagrant of an earlier, killed labctl still works on a machine, wait for it to end."""
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

    def _pattern(self, names: Sequence[str]) -> str | None:
        """How Vagrant is told about several machines at once: a pattern between slashes; None means all."""
        if set(names) == {machine.name for machine in self._lab.machines}:
            return None
        return "/^(" + "|".join(re.escape(name) for name in names) + ")$/"

    @contextmanager
    def _vagrant(self, what: str) -> Iterator[Any]:
        """A python-vagrant object whose output goes to the log; its failures become LabctlError."""
        if vagrant.get_vagrant_executable() is None:  # type: ignore[no-untyped-call]
            raise HostError("Vagrant is not installed", next_step="apt install vagrant vagrant-lxc")
        self._said.parent.mkdir(parents=True, exist_ok=True)
        self._bound_log()
        self._drop_damaged_index()
        begin = self._said.stat().st_size if self._said.exists() else 0
        tool = _Tool(  # type: ignore[no-untyped-call]
            root=str(self._files.folder),
            env=vagrant_environment(self._lab, self._files),
            out_cm=self._log_stream,
            err_cm=self._log_stream,
        )
        tool.deadline = self._deadline(what)
        try:
            with logged("vagrant", what, self._log):
                yield tool
        except subprocess.CalledProcessError as error:
            raise self._failure(what, begin, error.returncode) from error

    def _deadline(self, what: str) -> int:
        return (_DEADLINES if self._lab.provider is Provider.LXC else _DEADLINES_OF_VMS)[what]

    def _failure(self, what: str, begin: int, status: int) -> LabctlError:
        """What Vagrant's output says, in words of its own where the error is a known one."""
        said = _said_since(self._said, begin)
        known = find_known_error(said)
        why = "\n".join(said.splitlines()[-_LAST_LINES:]) or f"exit status {status}"
        if status == TIMED_OUT:
            why = f"it did not end within {self._deadline(what)} s; the last that it said:\n{why}"
        return LabctlError(
            f"vagrant {what} failed" + (f": {known.meaning} ({known.id})" if known else ""),
            where=str(self._files.folder),
            why=why,
            next_step=known.remedy if known else f"labctl {what}",
        )

    def _drop_damaged_index(self) -> None:
        """Vagrant does nothing at all where its index of machines is damaged; without one it makes another.

        Only the lab's own: the one in the user's Vagrant home names other machines, too.
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

    def _bound_log(self) -> None:
        """What Vagrant said is kept, but not for ever."""
        with suppress(OSError):
            if self._said.stat().st_size > _LOG_BYTES:
                self._said.replace(self._said.with_name("vagrant.log.1"))

    @contextmanager
    def _log_stream(self) -> Iterator[IO[bytes]]:
        with self._said.open("ab") as stream:
            yield stream


def _last_said(line: str) -> str:
    """A line as a terminal shows it in the end: what was written over ("Progress: 3%") is gone, and so are colours."""
    return _TERMINAL_CODES.sub("", _WRITTEN_OVER.split(line.rstrip())[-1])


def vagrant_environment(lab: Lab, files: LabDirectory) -> dict[str, str]:
    """The environment for Vagrant: no look-ups on the internet, and for labctl's own box a home of the lab's own.

    Machines that plain ``vagrant up`` made are known in the user's own Vagrant home, and are looked for there.
    """
    environment = {
        **os.environ,
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
        "VAGRANT_DEFAULT_PROVIDER": lab.provider.value,
        "VAGRANT_NO_COLOR": "1",
        MARK: "1",
    }
    made_by_user = (files.folder / ".vagrant").exists() and not files.vagrant_home.exists()
    if lab.provider is Provider.LXC and not made_by_user:
        environment["VAGRANT_HOME"] = str(files.vagrant_home)
    return environment


def _said_since(log: Path, begin: int) -> str:
    """What came into the log since it was ``begin`` bytes long, without colours and empty lines."""
    with log.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode("utf-8", "replace")
    return "\n".join(line for line in _TERMINAL_CODES.sub("", text).splitlines() if line.strip())
