"""What every command gets: the lab's directory, the streams and the lab, each created when first used.

`labctl --help` imports this file, so it imports nothing heavy at the top.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from labctl.cli.commands import unknown_word

if TYPE_CHECKING:
    from rich.console import Console

    from labctl.config import Overrides
    from labctl.host.host import Host
    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab, Machine
    from labctl.ssh.connections import Connections

# Columns of tables that go to a file or another program.
_FILE_WIDTH = 160


@dataclass(slots=True)
class Application:
    """One run of labctl. directory: where labctl.yaml and .labctl are. verbosity: -1 quiet, 0, 1 verbose.
    command: its name. show_next: whether a hint about the next command may follow.
    after_interrupt: what to do next after Ctrl-C, if it differs from what the table of commands says.

    Data goes to ``out``, everything else to ``err``.
    """

    directory: Path = field(default_factory=Path)
    verbosity: int = 0
    no_color: bool = False
    after_interrupt: str = ""
    command: str = ""
    show_next: bool = True
    _host: Host | None = None
    _out: Console | None = None
    _err: Console | None = None

    @property
    def host(self) -> Host:
        """This host; tests replace it."""
        if self._host is None:
            from labctl.host.host import Host  # noqa: PLC0415

            self._host = Host()
        return self._host

    @property
    def out(self) -> Console:
        """Standard output for tables and text."""
        if self._out is None:
            self._out = self._console(stderr=False)
        return self._out

    @property
    def err(self) -> Console:
        """Standard error: progress, notes, errors."""
        if self._err is None:
            self._err = self._console(stderr=True)
        return self._err

    def _console(self, *, stderr: bool) -> Console:
        from rich.console import Console  # noqa: PLC0415

        stream = sys.stderr if stderr else sys.stdout
        width = None if stream.isatty() else _FILE_WIDTH
        return Console(file=stream, no_color=self.no_color or None, highlight=False, width=width)

    def write(self, data: str | bytes) -> None:
        """Write data to standard output, as it is."""
        click.echo(data, nl=False)

    def note(self, text: str) -> None:
        """A line on standard error; -q leaves it out."""
        if self.verbosity >= 0:
            click.echo(text, err=True)

    def confirm(self, question: str) -> None:
        """Ask on standard error. If the answer is no, end labctl. Raises UsageError if nobody answers."""
        from labctl.errors import ExitCode, UsageError  # noqa: PLC0415

        try:
            agreed = click.confirm(question, err=True)
        except click.Abort as error:
            if not isinstance(error.__context__, EOFError):
                raise
            click.echo(err=True)
            raise UsageError("nobody answered the question", next_step="repeat the command with --yes") from None
        if not agreed:
            self.note("nothing was changed")
            raise click.exceptions.Exit(ExitCode.INTERRUPTED)

    @contextmanager
    def working(self, what: str) -> Iterator[Callable[[str], None]]:
        """Show a spinner on a terminal until the block is left; the block gets a function that changes its text."""
        if self.verbosity < 0 or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.markup import escape  # noqa: PLC0415

        with self.err.status(escape(what)) as status:
            yield lambda text: status.update(escape(text))

    @property
    def stdin(self) -> BinaryIO:
        """Standard input, in bytes."""
        return sys.stdin.buffer

    @property
    def stdout(self) -> BinaryIO:
        """Standard output, in bytes."""
        return sys.stdout.buffer

    @property
    def stderr(self) -> BinaryIO:
        """Standard error, in bytes."""
        return sys.stderr.buffer

    def lab(self, overrides: Overrides | None = None, tell: Callable[[str], None] = lambda _: None) -> Lab:
        """The lab: from the overrides first, then from the choices of `up`, then from labctl.yaml.

        tell: called with a line if this host makes the lab differ from the defaults.
        Raises ConfigError, or HostError if no provider works here.
        """
        from labctl.config import Overrides  # noqa: PLC0415
        from labctl.config.overrides import read_choices  # noqa: PLC0415
        from labctl.providers.load import load_lab  # noqa: PLC0415

        chosen = (overrides or Overrides()).or_else(read_choices(self.lab_files().choices))
        return load_lab(self.directory, overrides=chosen, host=self.host, tell=tell)

    def lab_files(self) -> LabDirectory:
        """The paths in the lab's .labctl folder."""
        from labctl.lab_directory import LabDirectory  # noqa: PLC0415

        return LabDirectory(self.directory.resolve())

    def machine(self, lab: Lab, name: str) -> Machine:
        """The machine of that name. Raises click's usage error, with a suggestion, if the lab has none."""
        try:
            return lab.machine(name)
        except KeyError:
            unknown_word("machine", name, [machine.name for machine in lab.machines])

    def connections(self, lab: Lab, *, deadline: float = 5.0) -> Connections:
        """SSH connections to the lab's machines, opened on first use. deadline: seconds (more on emulated machines).

        Raises HostError if there is no lab here.
        """
        from labctl.checks.this_host import patience  # noqa: PLC0415
        from labctl.log import start_log  # noqa: PLC0415
        from labctl.ssh.access import ssh_access  # noqa: PLC0415
        from labctl.ssh.connections import Connections  # noqa: PLC0415

        files = self.lab_files()
        files.require()
        start_log(files.folder)
        accesses = {machine.name: ssh_access(lab, machine, files) for machine in lab.machines}
        return Connections(accesses, self.host, deadline=deadline * patience(lab, self.host))


pass_app = click.make_pass_decorator(Application, ensure=True)
