"""``labctl``: global options, the commands, and the only place where errors end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from labctl import __version__
from labctl.cli.app import Application
from labctl.cli.lazy import LazyGroup
from labctl.cli.show_error import drop_output, show_error
from labctl.cli.table import COMMANDS
from labctl.errors import ExitCode


class Labctl(LazyGroup):
    """The top of the command line: whatever is raised below becomes a message and an exit code here."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, with examples below its --help."""
        from labctl.cli.examples import EXAMPLES

        command = super().get_command(ctx, cmd_name)
        if isinstance(ctx.obj, Application):
            ctx.obj.command = cmd_name
        if command is not None and command.epilog is None and cmd_name in EXAMPLES:
            command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[cmd_name])
        return command

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run one command line and exit."""
        app = extra.pop("obj", None) or Application()
        try:
            outcome = super().main(args, prog_name or "labctl", obj=app, **{**extra, "standalone_mode": False})
            status = outcome if isinstance(outcome, int) else ExitCode.OK
            sys.stdout.flush()
            _say_what_is_next(app, int(status))
        except BaseException as error:  # noqa: BLE001 - the one place where everything ends
            status = _status_of(error, app)
        sys.exit(int(status))


def _say_what_is_next(app: Application, status: int) -> None:
    """A hint for the person at the terminal; -q leaves it out."""
    from labctl.cli.examples import NEXT

    hint = NEXT.get(app.command, {}).get(status)
    if hint and app.says_next and sys.stderr.isatty():
        app.note(f"next: {hint}")


def _status_of(error: BaseException, app: Application) -> int:
    """The exit status for whatever ended a run."""
    if isinstance(error, SystemExit):
        drop_output()
        return error.code if isinstance(error.code, int) else ExitCode.FAILED
    return show_error(error, app)


@click.group(
    "labctl",
    cls=Labctl,
    table=COMMANDS,
    context_settings={"auto_envvar_prefix": "LABCTL", "help_option_names": ["--help"], "max_content_width": 100},
    epilog="Every option can be set by an environment variable: LABCTL_DIRECTORY, LABCTL_UP_WORKERS and so on.",
)
@click.option(
    "-C",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    metavar="DIR",
    help="The lab's directory.  [default: .]",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more; tracebacks go to .labctl/labctl.log.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what was asked for, and errors.")
@click.option("--no-color", is_flag=True, help="No colors.")
@click.version_option(__version__, prog_name="labctl", message="%(prog)s %(version)s", allow_from_autoenv=False)
@click.pass_obj
def cli(app: Application, directory: Path, verbose: bool, quiet: bool, no_color: bool) -> None:
    """Build, check and remove a lab: HAProxy's ingress controller outside Kubernetes, with pod routes over BGP."""
    app.directory = directory
    app.verbosity = 1 if verbose else -1 if quiet else 0
    app.no_color = no_color


def main() -> NoReturn:
    """The program: SIGTERM ends it like Ctrl-C, which answers at once."""
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ["PATH"] = with_system_programs(os.environ.get("PATH", os.defpath))
    try:
        cli.main()
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED and threading.active_count() > 1:
            _leave()
        raise


def _leave() -> NoReturn:
    """End at once: what labctl started is ended, and threads that wait for a machine are not waited for."""
    from labctl.host.host import Host

    try:
        sys.stdout.flush()
        host = Host()
        host.end(host.children())
    finally:
        os._exit(ExitCode.INTERRUPTED)


def with_system_programs(path: str) -> str:
    """A PATH that has the folders of administrators' programs, too: Debian's PATH of an ordinary user lacks them.

    nft, for one, is in /usr/sbin (Debian Policy 9.1, FHS 4.10).
    """
    folders = path.split(os.pathsep)
    return os.pathsep.join([*folders, *(folder for folder in ("/usr/sbin", "/sbin") if folder not in folders)])


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
